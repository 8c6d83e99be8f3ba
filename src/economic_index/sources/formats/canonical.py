"""The input contract itself, as Parquet, JSONL or CSV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from economic_index.sources.contract import COLUMNS
from economic_index.sources.files import Progress, Record, read_records
from economic_index.sources.formats.base import Format


def read(path: Path, progress: Progress | None = None) -> Iterator[Record]:
    """Rows as they are."""
    return read_records(path, COLUMNS, progress)


CANONICAL = Format(
    name="canonical",
    about="the input contract itself: Parquet, JSONL or CSV",
    kinds=("parquet", "jsonl", "csv"),
    read=read,
    times="always",
    has_accounts=True,
    required=("conversation_id", "messages"),
)
