"""Public formats to the canonical Parquet file: nothing vanishes, no raw account id is written."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from economic_index.errors import UserError
from economic_index.keys import load_key
from economic_index.sources.contract import (
    ACCOUNTS_METADATA,
    CANONICAL_SCHEMA,
    PER_CONVERSATION,
    PSEUDONYMS_METADATA,
)
from economic_index.sources.files import (
    CANONICAL_KINDS,
    Record,
    find_files,
    kind_of,
    origin_of,
    require_columns,
)
from economic_index.sources.formats import detect, format_named
from economic_index.sources.formats.base import Format
from economic_index.sources.pseudonyms import Pseudonyms
from economic_index.sources.reader import message_array
from economic_index.sources.validate import Checked, Epoch, Rejected, check, timestamp

Accounts = Literal["as-given", "per-conversation"]
#: Called with (bytes consumed of all sources, rows written so far).
OnProgress = Callable[[int, int], None]

_BATCH_ROWS = 4_096
_BATCH_CHARACTERS = 8_000_000
_ATTRIBUTES = (
    "model",
    "product",
    "language",
    "country_code",
    "region_code",
    "extended_thinking",
    "safety_flagged",
    "input_tokens",
    "output_tokens",
)


@dataclass
class Summary:
    """What an import did. ``rows`` = ``admitted`` + the sum of ``quarantined``."""

    output: str
    formats: list[str] = field(default_factory=list)
    files: int = 0
    rows: int = 0
    admitted: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    without_account: int = 0
    accounts: str = "as-given"
    bytes_written: int = 0
    seconds: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """The summary as JSON values, reasons in alphabetical order."""
        return {**vars(self), "quarantined": dict(sorted(self.quarantined.items()))}


def plan(sources: Sequence[str], format_name: str) -> list[tuple[Path, Format]]:
    """Files to read, each once, with their formats.

    Raises:
        UserError: no file, an unknown format or file type, or a file of another format.
    """
    wanted = format_named(format_name)
    files = list(dict.fromkeys(path for source in sources for path in _files(source, wanted)))
    planned = [(path, wanted or detect(path)) for path in files]
    for path, item in planned:
        kind = kind_of(path)
        if kind not in item.kinds:
            raise UserError(
                f"The file {path} is not of a type that the format {item.name} has; it reads "
                f"{', '.join(item.kinds)}."
            )
        if item.required and kind in CANONICAL_KINDS:
            require_columns(path, item.required)
    return planned


def _files(source: str, wanted: Format | None) -> list[Path]:
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return find_files(source)
    kinds = wanted.kinds if wanted else (*CANONICAL_KINDS, "json", "zip")
    found = sorted(path for path in folder.rglob("*") if path.is_file() and kind_of(path) in kinds)
    if not found:
        raise UserError(f"The folder {source} holds no file of conversations; name the files.")
    return found


def import_conversations(
    sources: Sequence[str],
    output: Path,
    format_name: str = "auto",
    accounts: Accounts = "as-given",
    started_at: str | None = None,
    on_progress: OnProgress | None = None,
) -> Summary:
    """Write the conversations of all sources into one canonical Parquet file (zstd, mode 0600).

    The file appears under its name only when it is whole. A row that is not a conversation is written too,
    with its ``quarantine_reason`` and without any text, so that the reader counts it with the same reason.

    Raises:
        UserError: a source cannot be read, times or columns are missing, or the output cannot be written.
    """
    began = time.monotonic()
    default_time = _fixed_time(started_at)
    if output.suffix.lower() != ".parquet":
        raise UserError(f"The output {output} is not a .parquet file; canonical files are Parquet.")
    planned = plan(sources, format_name)
    for path, item in planned:
        _require_times(path, item, default_time)
        if item.name == "canonical" and accounts == "as-given":
            require_columns(path, ("account_id",))
        if path.resolve() == output.resolve():
            raise UserError(f"The output {output} is one of the sources; give it another name.")
    pseudonyms = Pseudonyms(load_key("pseudonyms"))
    summary = Summary(
        str(output), sorted({item.name for _, item in planned}), len(planned), accounts=accounts
    )
    if any(origin_of(path).is_test_accounts for path, _ in planned):
        # Surrogate accounts stay surrogates, whatever they are mixed with.
        summary.accounts = PER_CONVERSATION
    metadata = {ACCOUNTS_METADATA: summary.accounts, PSEUDONYMS_METADATA: pseudonyms.fingerprint}
    with _writer(output, metadata) as write:
        batch = _Batch()
        for path, number, record, already in _records(planned, pseudonyms.fingerprint, on_progress, summary):
            values = _with_time(record.values, default_time)
            row = check(values, record.reason)
            if row.conversation_id is None:
                row.conversation_id = pseudonyms.row(path.name, number)
            account = _account(row, pseudonyms, accounts, already, path.name, number)
            batch.add(row, account, _organization(row, pseudonyms, already))
            _count(summary, row, account)
            if batch.is_full():
                write(batch.finish())
                batch = _Batch()
        write(batch.finish())
    summary.bytes_written = output.stat().st_size
    summary.seconds = round(time.monotonic() - began, 3)
    return summary


def _fixed_time(started_at: str | None) -> Epoch | None:
    if started_at is None:
        return None
    try:
        return Epoch(timestamp(started_at))
    except Rejected:
        raise UserError(
            "--started-at is not a date or time from 1970 to 2099; write it like 2025-01-31 or "
            "2025-01-31T08:00:00Z."
        ) from None


def _require_times(path: Path, item: Format, default_time: Epoch | None) -> None:
    if default_time is not None:
        return
    if item.name == "canonical":
        require_columns(path, ("started_at",))
    missing = item.times == "never"
    if item.times == "sometimes":
        head = [record for record, _ in zip(item.read(path, None), range(100), strict=False)]
        missing = bool(head) and not any(record.values.get("started_at") for record in head)
    if missing:
        raise UserError(
            f"The file {path} ({item.name}) has no times; give one for all with --started-at 2025-01-31."
        )


def _with_time(values: dict[str, object], default_time: Epoch | None) -> Mapping[str, object]:
    if default_time is None or values.get("started_at") not in (None, ""):
        return values
    return {**values, "started_at": default_time}


def _records(
    planned: Sequence[tuple[Path, Format]], fingerprint: str, on_progress: OnProgress | None, summary: Summary
) -> Iterator[tuple[Path, int, Record, bool]]:
    done = 0
    for path, item in planned:
        already = origin_of(path).fingerprint == fingerprint
        before = done

        def report(consumed: int, before: int = before) -> None:
            if on_progress:
                on_progress(before + consumed, summary.rows)

        for number, record in enumerate(item.read(path, report), start=1):
            yield path, number, record, already
        done += path.stat().st_size
        report(path.stat().st_size)


def _account(
    row: Checked, pseudonyms: Pseudonyms, accounts: Accounts, already: bool, source_file: str, number: int
) -> str | None:
    if row.messages is None:
        return None
    if accounts == PER_CONVERSATION:
        return pseudonyms.test_account(str(row.conversation_id), source_file, number)
    key = pseudonyms.account(row.account_id, already)
    return None if key is None else f"acct_{key}"


def _organization(row: Checked, pseudonyms: Pseudonyms, already: bool) -> str | None:
    key = pseudonyms.organization(row.organization_id, already)
    return None if key is None else f"org_{key}"


def _count(summary: Summary, row: Checked, account: str | None) -> None:
    summary.rows += 1
    if row.reason is not None:
        summary.quarantined[row.reason.value] += 1
    else:
        summary.admitted += 1
        summary.without_account += account is None


class _Batch:
    """Rows collected so far, as columns of the canonical schema."""

    def __init__(self) -> None:
        self.columns: dict[str, list[object]] = {n: [] for n in CANONICAL_SCHEMA.names if n != "messages"}
        self.offsets: list[int | None] = []
        self.roles: list[str] = []
        self.contents: list[str] = []
        self.characters = 0

    def add(self, row: Checked, account_id: str | None, organization_id: str | None) -> None:
        kept = row.messages is not None
        columns = self.columns
        columns["conversation_id"].append(row.conversation_id)
        columns["account_id"].append(account_id)
        columns["organization_id"].append(organization_id)
        columns["started_at"].append(row.started_at)
        columns["quarantine_reason"].append(row.reason.value if row.reason else None)
        for name in _ATTRIBUTES:
            # The product of a quarantined row is kept so that it belongs to a population, like its
            # organisation.
            columns[name].append(getattr(row, name) if kept or name == "product" else None)
        self.offsets.append(len(self.roles) if kept else None)
        for role, content in row.messages or ():
            self.roles.append(role)
            self.contents.append(content)
        self.characters += row.n_characters

    def is_full(self) -> bool:
        return len(self.offsets) >= _BATCH_ROWS or self.characters >= _BATCH_CHARACTERS

    def finish(self) -> pa.Table:
        messages = message_array(self.offsets, self.roles, self.contents)
        arrays = [
            messages if item.name == "messages" else pa.array(self.columns[item.name], item.type)
            for item in CANONICAL_SCHEMA
        ]
        return pa.Table.from_arrays(arrays, schema=CANONICAL_SCHEMA)


@contextmanager
def _writer(output: Path, metadata: Mapping[bytes, str]) -> Iterator[Callable[[pa.Table], None]]:
    """Write beside the target and rename at the end; whatever goes wrong, no half file stays."""
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{output.name}.", suffix=".tmp", dir=output.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            schema = CANONICAL_SCHEMA.with_metadata({k: v.encode() for k, v in metadata.items()})
            with pq.ParquetWriter(
                file, schema, compression="zstd", write_statistics=["started_at"]
            ) as writer:
                yield lambda table: writer.write_table(table.replace_schema_metadata(schema.metadata))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(output)
        temporary = None
    except OSError as error:
        raise UserError(
            f"The output {output} cannot be written ({error.strerror or 'write error'}); check its folder "
            "and the space left."
        ) from None
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()
