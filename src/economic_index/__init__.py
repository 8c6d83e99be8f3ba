"""Which work is an AI assistant used for: the library behind the dbt project."""

__version__ = "0.1.0"
