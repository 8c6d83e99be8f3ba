"""Byte scan of release files (attack A13): canary tokens, and values of private columns when the private
file is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from economic_index.disclosure.audit.findings import LEAK, Finding
from economic_index.errors import UserError

# Columns whose values must be nowhere in a release: (schema.table, column).
PRIVATE_COLUMNS = (
    ("facts.conversation_intake", "conversation_id"),
    ("facts.conversation_intake", "account_key"),
    ("facts.conversation_intake", "organization_key"),
    ("facts.conversation_intake", "content_hash"),
    ("facts.fct_conversations", "conversation_id"),
    ("facts.fct_conversations", "account_key"),
)
# Shorter values, and plain short numbers, are found by chance; a key made at import has 16 hex digits at
# least.
MIN_LENGTH = 8
_TOKEN = re.compile(rb"[A-Za-z0-9_.@:+-]{8,200}")
_SHORT_NUMBER = re.compile(r"[\d.:+-]{1,15}")


def read_canaries(path: Path) -> list[str]:
    """Planted tokens, one a line; empty lines and lines that start with ``#`` are left out.

    Raises:
        UserError: the file is missing or holds no token.
    """
    if not path.is_file():
        raise UserError(f"The canary file {path} does not exist; give a text file with one token a line.")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    tokens = [line for line in lines if line and not line.startswith("#")]
    if not tokens:
        raise UserError(f"The canary file {path} holds no token; write one a line.")
    return tokens


def scan_files(target: Path, *, canaries: Path | None = None, private: Path | None = None) -> list[Finding]:
    """Look for what must not be in the files below ``target`` (a folder or one file).

    Looked at: the raw bytes of every file and its name, and, since both formats compress, every text value
    of Parquet and DuckDB files. A finding names the file and the kind of thing, never the thing.
    """
    tokens = read_canaries(canaries) if canaries else []
    secrets = private_values(private) if private and private.is_file() else {}
    files = sorted(path for path in target.rglob("*") if path.is_file()) if target.is_dir() else [target]
    found = []
    for path in files:
        name = str(path.relative_to(target)) if target.is_dir() else path.name
        raw = path.read_bytes()
        chunks = [raw, name.encode(), *_texts(path)]
        hits = sum(1 for token in tokens if any(_holds(chunk, token) for chunk in chunks))
        if hits:
            found.append(
                Finding(
                    "byte_scan",
                    "A13",
                    "files",
                    name,
                    LEAK,
                    f"{hits} planted canaries are in the file {name}.",
                )
            )
        if secrets:
            words = {word for chunk in chunks for word in _words(chunk)}
            for column in sorted({secrets[word] for word in words & secrets.keys()}):
                found.append(
                    Finding(
                        "byte_scan",
                        "A13",
                        "files",
                        name,
                        LEAK,
                        f"Values of the private column {column} are in the file {name}.",
                    )
                )
    return found


def _holds(chunk: bytes, token: str) -> bool:
    return any(token.encode(encoding) in chunk for encoding in ("utf-8", "utf-16-le"))


def _words(chunk: bytes) -> Iterator[bytes]:
    for match in _TOKEN.finditer(chunk):
        word = match.group()
        yield word
        yield from (part for part in re.split(rb"[.@:+]", word) if len(part) >= MIN_LENGTH)


def _texts(path: Path) -> Iterator[bytes]:
    """Text values (and schema names) of a columnar file, joined, one chunk a column."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield str(table.schema).encode()
        yield from _columns(table)
    elif path.suffix == ".duckdb":
        connection = duckdb.connect(config={"threads": 1})
        try:
            connection.execute("set enable_progress_bar = false")
            quoted = str(path).replace("'", "''")
            connection.execute(f"attach '{quoted}' as scanned (read_only)")
            names = connection.execute(
                "select schema_name, table_name from duckdb_tables() where database_name = 'scanned' "
                "union all select schema_name, view_name from duckdb_views() where database_name = "
                "'scanned' and not internal"
            ).fetchall()
            comments = connection.execute(
                "select comment from duckdb_tables() where database_name = 'scanned' and comment is not "
                "null union all select comment from duckdb_columns() where database_name = 'scanned' and "
                "comment is not null"
            ).fetchall()
            yield "\n".join(str(comment) for (comment,) in comments).encode()
            for schema, name in names:
                yield from _columns(
                    connection.execute(f'select * from scanned."{schema}"."{name}"').to_arrow_table()
                )
        finally:
            connection.close()


def _columns(table: pa.Table) -> Iterator[bytes]:
    for column in table.columns:
        values: Iterable[object] = column.unique().to_pylist()
        yield "\n".join(str(value) for value in values if value is not None).encode("utf-8", "surrogatepass")


def private_values(private: Path) -> dict[bytes, str]:
    """Values of the private columns to the column's name; tables that are not there are left out."""
    found: dict[bytes, str] = {}
    connection = duckdb.connect(config={"threads": 1})
    try:
        connection.execute("set enable_progress_bar = false")
        quoted = str(private).replace("'", "''")
        connection.execute(f"attach '{quoted}' as private_side (read_only)")
        for table, column in PRIVATE_COLUMNS:
            try:
                rows = connection.execute(
                    f'select distinct cast("{column}" as varchar) from private_side.{table} where '
                    f'"{column}" is not null'
                ).fetchall()
            except (duckdb.CatalogException, duckdb.BinderException):
                continue
            for (value,) in rows:
                if len(value) >= MIN_LENGTH and not _SHORT_NUMBER.fullmatch(value):
                    found.setdefault(value.encode("utf-8", "surrogatepass"), column)
    finally:
        connection.close()
    return found
