"""Stand-ins for the outside world that people and tests may run by hand."""
