"""Files of a release: canonical CSV, Parquet, a fresh DuckDB file, hashes. The same tables give the same
CSV bytes."""

from __future__ import annotations

import io
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = "marts"


def canonical(table: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """Rows in the order of the key, then of every other column, nulls last; one chunk a column."""
    order = [*key, *(name for name in table.column_names if name not in key)]
    return table.sort_by([(name, "ascending") for name in order]).combine_chunks()


def csv_bytes(table: pa.Table) -> bytes:
    """RFC 4180 with a header: CRLF, UTF-8, null is empty and an empty text is ``""``, floats in their
    shortest form."""
    out = io.StringIO(newline="")
    out.write(",".join(_quoted(name) for name in table.column_names) + "\r\n")
    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        out.write(",".join(_cell(value) for value in row) + "\r\n")
    return out.getvalue().encode("utf-8")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    if text == "" or any(character in text for character in ',"\r\n') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


def write_file(path: Path, data: bytes) -> None:
    """Write and flush to disk."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a Parquet file and flush it to disk."""
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")
    flush(path)


def write_database(path: Path, tables: dict[str, pa.Table], comments: dict[tuple[str, str], str]) -> None:
    """Write a fresh DuckDB file: schema ``marts``, plain tables in the given order of rows, comments,
    nothing else.

    A private file is never cleaned into a release: dropped rows stay in a DuckDB file after a checkpoint.

    Args:
        comments: (table, column) to text; the column is empty for the table's own comment.
    """
    connection = duckdb.connect(str(path), config={"threads": 1})
    try:
        connection.execute(f"create schema {SCHEMA}")
        for name, table in tables.items():
            connection.register("rows_to_write", table)
            connection.execute(f'create table {SCHEMA}."{name}" as select * from rows_to_write')
            connection.unregister("rows_to_write")
        for (name, column), text in comments.items():
            target = f'column {SCHEMA}."{name}"."{column}"' if column else f'table {SCHEMA}."{name}"'
            connection.execute(f"comment on {target} is '{text.replace(chr(39), chr(39) * 2)}'")
        connection.execute("checkpoint")
    finally:
        connection.close()
    flush(path)


def read_comments(database: Path) -> dict[tuple[str, str], str]:
    """Comments of the tables and columns of schema ``marts``."""
    connection = duckdb.connect(config={"threads": 1})
    try:
        quoted = str(database).replace("'", "''")
        connection.execute(f"attach '{quoted}' as candidate (read_only)")
        rows = connection.execute(
            "select table_name, '' as column_name, comment from duckdb_tables() where database_name = "
            "'candidate' and schema_name = 'marts' and comment is not null union all select table_name, "
            "column_name, comment from duckdb_columns() where database_name = 'candidate' and schema_name "
            "= 'marts' and comment is not null order by 1, 2"
        ).fetchall()
    finally:
        connection.close()
    return {(table, column): text for table, column, text in rows}


def flush(path: Path) -> None:
    """Flush a file or a folder's entries to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hex."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def text_hash(data: bytes) -> str:
    """SHA-256 of bytes, hex."""
    return sha256(data).hexdigest()
