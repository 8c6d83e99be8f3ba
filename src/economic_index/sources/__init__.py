"""Conversations in: the contract, readers of canonical files, and the formats that ``import`` understands."""
