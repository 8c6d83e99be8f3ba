"""Sample conversations for a first run and for tests: see ``generator``."""

from economic_index.sample.generator import generate, write_broken_jsonl, write_sample

__all__ = ["generate", "write_broken_jsonl", "write_sample"]
