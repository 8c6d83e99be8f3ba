"""Canonical files to validated record batches: every input row becomes one output row, in flat memory."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa

from economic_index.conversation import hash_messages
from economic_index.errors import UserError
from economic_index.keys import keyed_digest, load_key
from economic_index.paths import project_root, warehouse
from economic_index.sources.contract import COLUMNS, MESSAGES_TYPE, READ_SCHEMA, REQUIRED_COLUMNS
from economic_index.sources.files import find_files, origin_of, read_records, require_columns
from economic_index.sources.pseudonyms import Pseudonyms
from economic_index.sources.validate import Checked, Rejected, check, timestamp

_BATCH_ROWS = 4_096
_BATCH_CHARACTERS = 8_000_000


@dataclass(frozen=True)
class Population:
    """Products and organisations (raw ids) to keep; empty means all."""

    products: Collection[str] = ()
    organizations: Collection[str] = ()


class _Scope:
    """Is a row in the population? What cannot be read of a quarantined row does not exclude it."""

    def __init__(self, population: Population, pseudonyms: Pseudonyms) -> None:
        self._products = {str(name).strip() for name in population.products}
        keys = {pseudonyms.organization(str(name).strip()) for name in population.organizations}
        # An imported file that lost its metadata on the way (rewritten by another tool) is hashed once more.
        twice = {pseudonyms.organization(f"org_{key}") for key in keys}
        self._organizations = keys | twice

    def holds(self, row: Checked, organization_key: str | None) -> bool:
        for wanted, value in ((self._products, row.product), (self._organizations, organization_key)):
            if wanted and value not in wanted and (row.reason is None or value is not None):
                return False
        return True


class _Batch:
    """Columns of the rows collected so far."""

    def __init__(self) -> None:
        self.columns: dict[str, list[object]] = {n: [] for n in READ_SCHEMA.names if n != "messages"}
        self.offsets: list[int | None] = []
        self.roles: list[str] = []
        self.contents: list[str] = []
        self.characters = 0

    def __len__(self) -> int:
        return len(self.offsets)

    def add(self, values: Mapping[str, object], row: Checked) -> None:
        for name, column in self.columns.items():
            column.append(values[name])
        self.offsets.append(None if row.messages is None else len(self.roles))
        for role, content in row.messages or ():
            self.roles.append(role)
            self.contents.append(content)
        self.characters += row.n_characters

    def finish(self) -> pa.RecordBatch:
        messages = message_array(self.offsets, self.roles, self.contents)
        arrays = [
            messages if field.name == "messages" else pa.array(self.columns[field.name], field.type)
            for field in READ_SCHEMA
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=READ_SCHEMA)


def message_array(
    offsets: Sequence[int | None], roles: Sequence[str], contents: Sequence[str]
) -> pa.ListArray:
    """A ``messages`` column from flat turns; ``offsets`` has one start per row, None for a null list."""
    items = pa.StructArray.from_arrays(
        [pa.array(roles, pa.string()), pa.array(contents, pa.string())], fields=list(MESSAGES_TYPE.value_type)
    )
    return pa.ListArray.from_arrays(pa.array([*offsets, len(roles)], pa.int32()), items, type=MESSAGES_TYPE)


def stream(
    files: Sequence[Path], pseudonyms: Pseudonyms, sampling_key: bytes, population: Population | None = None
) -> Iterator[pa.RecordBatch]:
    """Batches of ``READ_SCHEMA``: the rows of all files in order, ``input_row`` counting from 1 through them.

    Raises:
        UserError: a file cannot be read; checks that need no reading are the caller's (``require_columns``).
    """
    scope = _Scope(population or Population(), pseudonyms)
    batch = _Batch()
    input_row = 0
    for path in files:
        origin = origin_of(path)
        already = origin.fingerprint == pseudonyms.fingerprint
        for number, record in enumerate(read_records(path, COLUMNS), start=1):
            input_row += 1
            row = check(record.values, record.reason)
            organization_key = pseudonyms.organization(row.organization_id, already)
            in_population = scope.holds(row, organization_key)
            name = row.conversation_id or pseudonyms.row(path.name, number)
            values = _values(row, pseudonyms.account(row.account_id, already), organization_key)
            values["input_row"] = input_row
            values["source_file"] = path.name
            values["conversation_id"] = name
            values["is_test_accounts"] = origin.is_test_accounts
            values["is_in_population"] = in_population
            values["sample_draw"] = _draw(sampling_key, name)
            batch.add(values, row)
            if len(batch) >= _BATCH_ROWS or batch.characters >= _BATCH_CHARACTERS:
                yield batch.finish()
                batch = _Batch()
    if len(batch):
        yield batch.finish()


def _values(row: Checked, account_key: str | None, organization_key: str | None) -> dict[str, object]:
    kept = row.messages is not None
    return {
        "account_key": account_key if kept else None,
        "organization_key": organization_key if kept else None,
        "started_at": row.started_at,
        "content_hash": hash_messages(row.messages) if row.messages is not None else None,
        "n_messages": len(row.messages) if row.messages is not None else None,
        "n_user_messages": row.n_user_messages if kept else None,
        "n_characters": row.n_characters if kept else None,
        "model": row.model if kept else None,
        "product": row.product if kept else None,
        "language": row.language if kept else None,
        "country_code": row.country_code if kept else None,
        "region_code": row.region_code if kept else None,
        "extended_thinking": row.extended_thinking if kept else None,
        "safety_flagged": row.safety_flagged if kept else None,
        "input_tokens": row.input_tokens if kept else None,
        "output_tokens": row.output_tokens if kept else None,
        "quarantine_reason": row.reason.value if row.reason else None,
    }


def _draw(sampling_key: bytes, conversation_id: str) -> int:
    """A number from 0 to 2^63 - 1 that only the holder of the key can foresee."""
    return int.from_bytes(keyed_digest(sampling_key, "draw", conversation_id)[:8], "big") >> 1


def conversations_location(var: str | None) -> str:
    """The path or glob to read: ``ECONOMIC_INDEX_CONVERSATIONS``, or ``vars.conversations``.

    Raises:
        UserError: neither is given.
    """
    given = os.environ.get("ECONOMIC_INDEX_CONVERSATIONS") or var
    if not given:
        raise UserError("No conversations are given; set vars.conversations or ECONOMIC_INDEX_CONVERSATIONS.")
    return given


def check_settings(window: tuple[str | None, str | None], sample_n: object) -> None:
    """Refuse a window or a sample size that SQL would misread.

    Raises:
        UserError: a bound is not a date or time, the window is empty, or ``sample_n`` is not a positive
        number.
    """
    bounds: dict[str, int] = {}
    for name, value in zip(("start", "end"), window, strict=True):
        if not value:
            continue
        try:
            # Narrower than what a row may say: SQL casts the same text.
            bounds[name] = timestamp(value if re.match(r"\d{4}-\d\d-\d\d", value) else "no date")
        except Rejected:
            raise UserError(
                f"vars.window.{name} is not a date or time from 1970 to 2099; write it like 2025-01-31 or "
                "2025-01-31T08:00:00."
            ) from None
    if len(bounds) == 2 and bounds["start"] >= bounds["end"]:
        raise UserError("vars.window ends before it starts; its end must be later than its start.")
    if sample_n is not None and (isinstance(sample_n, bool) or not isinstance(sample_n, int) or sample_n < 1):
        raise UserError(
            "vars.sample_n is not a positive whole number; give one, or null for all conversations."
        )


def read_conversations(
    conversations: str | None,
    window: tuple[str | None, str | None] = (None, None),
    population: Mapping[str, Collection[str]] | None = None,
    sample_n: object = None,
) -> pa.RecordBatchReader:
    """All rows of ``vars.conversations`` in ``READ_SCHEMA`` (the entry point of the dbt model).

    ``window`` and ``sample_n`` are only checked here, SQL applies them. Rows pass through a nameless
    temporary file in the warehouse folder, so that a file that breaks in the middle stops the model with its
    own sentence and not inside the database; memory stays flat.

    Raises:
        UserError: no file, an unreadable file, an unknown type, a missing column, a bad setting, a full disk.
    """
    check_settings(window, sample_n)
    files = find_files(conversations_location(conversations), project_root())
    for path in files:
        require_columns(path, REQUIRED_COLUMNS)
    given = population or {}
    wanted = Population(_names(given, "products"), _names(given, "organizations"))
    batches = stream(files, Pseudonyms(load_key("pseudonyms")), load_key("sampling"), wanted)
    return _spooled(batches)


def _names(population: Mapping[str, Collection[str]], name: str) -> Collection[str]:
    value = population.get(name) or ()
    if isinstance(value, str) or not isinstance(value, Collection):
        raise UserError(f"vars.population.{name} is not a list; write it like ['a', 'b'], or [] for all.")
    return value


def _spooled(batches: Iterator[pa.RecordBatch]) -> pa.RecordBatchReader:
    folder = warehouse()
    try:
        file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (the reader keeps it open)
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_stream(pa.PythonFile(file, mode="w"), READ_SCHEMA, options=options) as writer:
            for batch in batches:
                writer.write_batch(batch)
        file.flush()
        file.seek(0)
    except OSError as error:
        raise UserError(
            f"The conversations cannot be copied into {folder} ({error.strerror or 'write error'}); make "
            "room there."
        ) from None
    return pa.ipc.open_stream(pa.PythonFile(file, mode="r"))
