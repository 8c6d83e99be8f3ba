"""Synthetic labelled conversations: the generator lives in the package, ``economic-index prove --synthetic`` uses it too."""

from economic_index.sample.synthetic import FACTS_SQL, write_facts

__all__ = ["FACTS_SQL", "write_facts"]
