"""Robustness analyses on the private side: request clusters (Appendix G) and design effects."""
