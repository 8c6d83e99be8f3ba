"""Files to raw rows: JSONL, CSV and Parquet, plain or gzipped, one row in memory at a time.

A row that cannot be read becomes a ``Record`` with a reason. Only a file that cannot be read as a whole stops
the reading, with a ``UserError`` that names it.
"""

from __future__ import annotations

import csv
import glob
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from economic_index.errors import UserError
from economic_index.sources.contract import (
    ACCOUNTS_METADATA,
    MAX_ROW_BYTES,
    PER_CONVERSATION,
    PSEUDONYMS_METADATA,
    Reason,
)
from economic_index.sources.validate import Epoch, Rejected, parse_json

Kind = Literal["parquet", "jsonl", "csv", "json", "zip"]
#: Called now and then with the number of bytes of the current file that were consumed.
Progress = Callable[[int], None]

_KINDS: dict[str, Kind] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson.gz": "jsonl",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".json": "json",
    ".json.gz": "json",
    ".zip": "zip",
}
CANONICAL_KINDS: tuple[Kind, ...] = ("parquet", "jsonl", "csv")
_PARQUET_ROWS = 1_024
_PEEK_ROWS = 1_000
_PEEK_BYTES = 8_000_000
_UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}


@dataclass(slots=True)
class Record:
    """One input row as it stands in its file; ``values`` is empty when nothing of it can be read."""

    values: dict[str, object] = field(default_factory=dict)
    reason: Reason | None = None


def kind_of(path: Path) -> Kind | None:
    """The type of a file by its name, or None."""
    name = path.name.lower()
    for suffix in sorted(_KINDS, key=len, reverse=True):
        if name.endswith(suffix):
            return _KINDS[suffix]
    return None


def find_files(pattern: str, base: Path | None = None) -> list[Path]:
    """Files that a path, a folder or a glob (``**`` goes into folders) names, sorted by path.

    A relative pattern that finds nothing from the working directory is tried from ``base``.

    Raises:
        UserError: there is no such file.
    """
    candidates = [Path(pattern).expanduser()]
    if base is not None and not candidates[0].is_absolute():
        candidates.append(base / pattern)
    for candidate in candidates:
        if candidate.is_file():
            return [candidate]
        if candidate.is_dir():
            found = sorted(p for p in candidate.iterdir() if p.is_file() and kind_of(p) in CANONICAL_KINDS)
        else:
            found = sorted(p for p in map(Path, _glob(str(candidate))) if p.is_file())
        if found:
            return found
    raise UserError(
        f"No file of conversations was found at {pattern}; give an existing file, folder or glob."
    )


def _glob(pattern: str) -> list[str]:
    # Path.glob takes no absolute patterns.
    return glob.glob(pattern, recursive=True)  # noqa: PTH207


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn every way in which a file fails as a whole into one sentence that names it.

    Raises:
        UserError: the file cannot be opened, is cut off, or is not what its name says.
    """
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UserError(
            f"The file {path} cannot be read: its compressed data is damaged; get it again."
        ) from None
    except PermissionError:
        raise UserError(f"The file {path} may not be read by this user; change its mode.") from None
    except pa.ArrowException:
        raise UserError(
            f"The file {path} cannot be read as Parquet; it is damaged or of another type."
        ) from None
    except OSError as error:
        detail = error.strerror or "it is damaged or of another type"
        raise UserError(f"The file {path} cannot be read ({detail}); mend it or leave it out.") from None


@contextmanager
def open_binary(path: Path) -> Iterator[tuple[BinaryIO, Callable[[], int]]]:
    """(stream of decompressed bytes, function that tells how many bytes of the file are consumed).

    Gzip is recognised by its first bytes, whatever the name says.
    """
    with path.open("rb") as raw:
        magic = raw.read(2)
        raw.seek(0)
        if magic in (b"\xff\xfe", b"\xfe\xff"):
            raise UserError(f"The file {path} is UTF-16; save it as UTF-8.")
        if magic == b"\x1f\x8b":
            with gzip.open(raw) as stream:
                yield cast(BinaryIO, stream), raw.tell
        else:
            yield raw, raw.tell


def lines(stream: BinaryIO) -> Iterator[bytes | None]:
    """Lines without their ends; None for one of more than 16 MB, whose rest is passed over unread."""
    first = True
    while line := stream.readline(MAX_ROW_BYTES):
        if first:
            line, first = line.removeprefix(b"\xef\xbb\xbf"), False
        if len(line) >= MAX_ROW_BYTES - 3 and not line.endswith(b"\n"):
            while (rest := stream.readline(MAX_ROW_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield None
        elif line := line.strip(b" \t\r\n"):
            yield line


def json_record(line: bytes | None) -> Record:
    """One line of JSONL as a row."""
    if line is None:
        return Record(reason=Reason.TOO_LARGE)
    try:
        value = parse_json(line)
    except Rejected as rejected:
        return Record(reason=rejected.reason)
    if not isinstance(value, dict):
        return Record(reason=Reason.NOT_AN_OBJECT)
    return Record(value)


def read_jsonl(path: Path, progress: Progress | None = None) -> Iterator[Record]:
    """Rows of a JSONL file. Blank lines are not rows; a byte order mark is not part of the first."""
    with readable(path), open_binary(path) as (stream, position):
        for number, line in enumerate(lines(stream)):
            if progress and number % 512 == 0:
                progress(position())
            yield json_record(line)


def read_csv(path: Path, progress: Progress | None = None) -> Iterator[Record]:
    """Rows of a comma-separated file with a header line; an empty field is null."""
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES))
    with readable(path), open_binary(path) as (stream, position):
        # Bytes that are not UTF-8 come out as lone surrogates, so that they cost their own row and not the
        # file.
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        reader = csv.reader(text)
        header = _csv_header(path, reader)
        number = 0
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield Record(reason=Reason.TOO_LARGE)
                continue
            if not row:
                continue
            if progress and number % 512 == 0:
                progress(position())
            number += 1
            yield _csv_record(header, row)


def _csv_header(path: Path, reader: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip() for name in next(reader)]
    except (StopIteration, csv.Error):
        raise UserError(
            f"The file {path} has no header line; its first line must name the columns."
        ) from None
    return header


def _csv_record(header: list[str], row: list[str]) -> Record:
    for text in row:
        if not text.isascii():
            try:
                text.encode("utf-8")
            except UnicodeEncodeError:
                return Record(reason=Reason.INVALID_ENCODING)
    values: dict[str, object] = {name: text for name, text in zip(header, row, strict=False) if text != ""}
    if len(row) != len(header):
        # Which field belongs to which column is not known: not even the id is safe to keep.
        return Record(reason=Reason.WRONG_NUMBER_OF_FIELDS)
    return Record(values)


def open_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file for reading with little memory. The caller is inside ``readable(path)``."""
    return pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)


def read_parquet(path: Path, columns: Iterable[str], progress: Progress | None = None) -> Iterator[Record]:
    """Rows of a Parquet file, only the named columns of it."""
    with readable(path):
        size = path.stat().st_size
        with open_parquet(path) as file:
            present = set(file.schema_arrow.names)
            total, done = max(file.metadata.num_rows, 1), 0
            wanted = [name for name in columns if name in present]
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS, columns=wanted, use_threads=False):
                if progress:
                    progress(size * done // total)
                done += batch.num_rows
                yield from _batch_records(batch)


def _batch_records(batch: pa.RecordBatch) -> Iterator[Record]:
    try:
        columns = [_column_values(batch.column(i)) for i in range(batch.num_columns)]
    except (UnicodeDecodeError, OverflowError, ValueError, pa.ArrowException):
        # One bad value spoils the conversion of its whole batch; row by row it costs only its own row.
        if batch.num_rows == 1:
            yield Record(reason=Reason.INVALID_ENCODING)
            return
        for i in range(batch.num_rows):
            yield from _batch_records(batch.slice(i, 1))
        return
    names = batch.schema.names
    if not columns:
        for _ in range(batch.num_rows):
            yield Record()
        return
    for row in zip(*columns, strict=True):
        yield Record(dict(zip(names, row, strict=True)))


def _column_values(column: pa.Array) -> list[object]:
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _epochs(column)
    if _is_turns(kind):
        return _turn_pairs(column)
    return cast(list[object], column.to_pylist())


def _epochs(column: pa.Array) -> list[object]:
    """Exact microseconds of any Arrow time: ``to_pylist`` fails beyond the years of ``datetime``."""
    kind = column.type
    if pa.types.is_date32(kind):
        raw, factor, divisor = column.cast(pa.int32()).to_pylist(), 86_400_000_000, 1
    else:
        unit = "ms" if pa.types.is_date64(kind) else kind.unit
        raw = column.cast(pa.int64()).to_pylist()
        factor, divisor = (1, 1_000) if unit == "ns" else (_UNITS[unit], 1)
    return [None if n is None else Epoch(n * factor // divisor) for n in raw]


def _is_turns(kind: pa.DataType) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)) or not pa.types.is_struct(
        kind.value_type
    ):
        return False
    item = kind.value_type
    return {"role", "content"} == {item.field(i).name for i in range(item.num_fields)}


def _turn_pairs(column: pa.Array) -> list[object]:
    """Lists of (role, content) pairs, several times faster than through dictionaries."""
    flat = column.flatten()
    roles = pc.struct_field(flat, "role").to_pylist()
    contents = pc.struct_field(flat, "content").to_pylist()
    pairs = list(zip(roles, contents, strict=True))
    result: list[object] = []
    start = 0
    for length in pc.list_value_length(column).to_pylist():
        if length is None:
            result.append(None)
        else:
            result.append(pairs[start : start + length])
            start += length
    return result


def read_records(path: Path, columns: Iterable[str], progress: Progress | None = None) -> Iterator[Record]:
    """Rows of a canonical file of any of the three types.

    Raises:
        UserError: the type is unknown, or the file cannot be read.
    """
    match kind_of(path):
        case "parquet":
            return read_parquet(path, columns, progress)
        case "jsonl":
            return read_jsonl(path, progress)
        case "csv":
            return read_csv(path, progress)
    raise UserError(
        f"The type of the file {path} is not known; conversations are read from .parquet, .jsonl, "
        ".jsonl.gz, .csv and .csv.gz, everything else goes through economic-index import."
    )


def column_names(path: Path) -> set[str] | None:
    """Columns of a file; of JSONL the keys of its first rows, None when no row of them can be read.

    Raises:
        UserError: the type is unknown, or the file cannot be read.
    """
    match kind_of(path):
        case "parquet":
            with readable(path), open_parquet(path) as file:
                return set(file.schema_arrow.names)
        case "csv":
            csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES))
            with readable(path), open_binary(path) as (stream, _):
                text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
                return set(_csv_header(path, csv.reader(text)))
        case "jsonl":
            keys: set[str] = set()
            for record in peek_jsonl(path):
                keys.update(record.values)
            return keys or None
    next(iter(read_records(path, ())), None)  # raises: the type is not known
    return None


def peek_jsonl(path: Path) -> Iterator[Record]:
    """The first rows of a JSONL file: at most 1,000 and about 8 MB."""
    size = 0
    with readable(path), open_binary(path) as (stream, _):
        for number, line in enumerate(lines(stream)):
            size += sys.getsizeof(line)
            if number >= _PEEK_ROWS or size > _PEEK_BYTES:
                return
            yield json_record(line)


def require_columns(path: Path, required: Iterable[str]) -> None:
    """Check a file before anything is read from it.

    Raises:
        UserError: the file cannot be read, its type is unknown, or a column is missing.
    """
    present = column_names(path)
    if present is None:
        return
    missing = [name for name in required if name not in present]
    if missing:
        word = "column" if len(missing) == 1 else "columns"
        raise UserError(
            f"The file {path} lacks the required {word} {', '.join(missing)}; add what is missing or turn "
            "the file into the input contract with economic-index import."
        )


@dataclass(frozen=True)
class Origin:
    """What the metadata of a canonical Parquet file say about its account ids."""

    is_test_accounts: bool = False
    fingerprint: str | None = None


def origin_of(path: Path) -> Origin:
    """Metadata of a file; JSONL and CSV have none."""
    if kind_of(path) != "parquet":
        return Origin()
    with readable(path), open_parquet(path) as file:
        metadata = file.metadata.metadata or {}
    return Origin(
        metadata.get(ACCOUNTS_METADATA, b"").decode("ascii", "replace") == PER_CONVERSATION,
        metadata.get(PSEUDONYMS_METADATA, b"").decode("ascii", "replace") or None,
    )
