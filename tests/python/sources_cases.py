"""Rows, files and folders that the tests of conversations share."""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from economic_index.sources.pseudonyms import Pseudonyms
from economic_index.sources.reader import Population, stream

KEY = b"k" * 32
OTHER_KEY = b"o" * 32
USER = {"role": "user", "content": "Please plan the garden beds for spring."}
ASSISTANT = {"role": "assistant", "content": "Start with the sunny side."}


def good(**changes: object) -> dict[str, Any]:
    """A row that is admitted, with changes; a change to ``...`` takes the key away."""
    row: dict[str, Any] = {
        "conversation_id": "c-1",
        "account_id": "ada@example.org",
        "started_at": "2025-03-01T10:00:00Z",
        "messages": [USER, ASSISTANT],
    }
    row.update(changes)
    return {name: value for name, value in row.items() if value is not ...}


def write_jsonl(path: Path, rows: Iterable[object]) -> Path:
    """Each row as JSON; bytes and texts go in as they are."""
    parts = []
    for row in rows:
        if isinstance(row, str):
            row = row.encode("utf-8")
        parts.append(row if isinstance(row, bytes) else json.dumps(row).encode("ascii"))
    data = b"\n".join(parts) + b"\n"
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in row.items()})
    return path


def write_parquet(path: Path, table: pa.Table) -> Path:
    pq.write_table(table, path)
    return path


def read(*paths: Path, key: bytes = KEY, population: Population | None = None) -> list[dict[str, Any]]:
    """All rows of the files as the warehouse sees them."""
    batches = stream(paths, Pseudonyms(key), b"s" * 32, population)
    return [row for batch in batches for row in batch.to_pylist()]


def reasons(rows: Iterable[Mapping[str, Any]]) -> list[str | None]:
    return [row["quarantine_reason"] for row in rows]


def data_folder() -> Path:
    """The reference data beside the checkout, or a skip with the reason."""
    given = os.environ.get("ECONOMIC_INDEX_DATA")
    folder = Path(given) if given else Path(__file__).parents[3] / "shared" / "data"
    if not (folder / "conversations").is_dir():
        pytest.skip(f"no reference data at {folder}; set ECONOMIC_INDEX_DATA")
    return folder
