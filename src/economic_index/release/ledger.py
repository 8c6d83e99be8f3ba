"""The release ledger: what was published, when, about which window; each row is chained to the one before by
its hash.

``release_ledger.jsonl`` lies beside the release folders. Rules (docs/publishing.md):

* a window is published once: windows of populations that can overlap do not overlap;
* one publication per window and family (a family is a release table);
* a correction names the release it corrects; what was withheld stays withheld, and a value may change only
  where the private side has said that the conversations added and those removed are each a safe block.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from economic_index.errors import RefusedError, UserError

LEDGER_NAME = "release_ledger.jsonl"
FIRST = "0" * 64
OPEN = "all"
SAMPLE = "sample"
VERDICT_TABLE = "wall.wall_correction_verdicts"

# Where the leaves of a release are shown; every other number is a function of these.
LEAVES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "task_collaboration_usage": (("task_id", "pattern_level", "collaboration_pattern"), "n_conversations"),
    "outcome_totals": (("outcome",), "n_conversations"),
    "skill_usage": (("skill",), "n_conversations"),
    "facet_usage": (("facet", "option_id"), "n_conversations"),
    "conversation_composition": (("facet", "soc_group", "option_id"), "n_conversations"),
    "model_usage": (("model", "level", "node_id"), "n_conversations"),
    "thinking_usage": (("task_id",), "n_conversations"),
    "collaboration_usage": (("pattern_level", "collaboration_pattern"), "n_conversations"),
    "category_collaboration_usage": (
        ("soc_major_code", "pattern_level", "collaboration_pattern"),
        "n_conversations",
    ),
    "occupation_usage": (("onet_soc_code",), "n_conversations_residual"),
    "occupation_category_usage": (("soc_major_code",), "n_conversations_residual"),
    "usage_by_unit": (("soc_major_code",), "n_accounts_rounded"),
    "geography_usage": (("country_code",), "n_conversations"),
    "region_usage": (("country_code", "region_code"), "n_conversations"),
    "geography_category_usage": (("country_code", "soc_group"), "n_conversations"),
    "geography_collaboration_usage": (("country_code", "collaboration_pattern"), "n_conversations"),
}
# A verdict on this cell is about every cell of the mart that has no verdict of its own.
OTHER_CELLS = "*"


@dataclass(frozen=True)
class LedgerRow:
    """One table of one publication."""

    sequence: int
    release_id: str
    corrects: str | None
    window_start: str
    window_end: str
    population: str
    family: str
    block_map_hash: str
    value_hash: str
    input_manifest_hash: str
    policy_hash: str
    audit_hash: str
    manifest_hash: str
    epsilon: float | None
    published_at: str
    previous_hash: str
    row_hash: str

    def body(self) -> bytes:
        """Canonical JSON of everything but ``row_hash``."""
        values = {name: value for name, value in asdict(self).items() if name != "row_hash"}
        return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


@dataclass(frozen=True)
class Window:
    """Half-open window in UTC as ISO text, ``all`` for no bound, and the population it is about."""

    start: str
    end: str
    population: str

    def overlaps(self, other: Window) -> bool:
        """Can a person's conversation be in both?

        Populations count as apart only if both are chosen and not the same one; the made-up conversations of the sample
        are nobody's, so a release of them overlaps with nothing.
        """
        if SAMPLE in (self.population, other.population):
            return False
        apart = OPEN not in (self.population, other.population) and self.population != other.population
        before = OPEN not in (self.end, other.start) and _instant(self.end) <= _instant(other.start)
        after = OPEN not in (other.end, self.start) and _instant(other.end) <= _instant(self.start)
        return not (apart or before or after)


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def window_of(manifest: Mapping[str, str]) -> Window:
    """The window that the items of ``release_manifest`` name.

    Raises:
        UserError: the items are missing or are no times.
    """
    try:
        window = Window(manifest["window_start"], manifest["window_end"], manifest["population"])
        for text in (window.start, window.end):
            if text != OPEN:
                _instant(text)
    except (KeyError, ValueError) as error:
        raise UserError(
            "release_manifest does not name a window of two ISO times; run dbt build again."
        ) from error
    return window


def read_ledger(folder: Path) -> list[LedgerRow]:
    """All rows; an empty list when there is no ledger.

    Raises:
        RefusedError: a line cannot be read.
    """
    path = folder / LEDGER_NAME
    if not path.exists():
        return []
    names = {field.name for field in fields(LedgerRow)}
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            values = json.loads(line)
            if set(values) != names:
                raise ValueError
            rows.append(LedgerRow(**values))
        except (ValueError, TypeError) as error:
            raise RefusedError(
                f"Line {number} of {path} is not a ledger row; restore the ledger from its backup, nothing "
                "is published on a broken chain."
            ) from error
    return rows


def chain_faults(rows: Iterable[LedgerRow]) -> list[str]:
    """Sentences on every break of the chain; empty when it holds."""
    faults, previous = [], FIRST
    for number, row in enumerate(rows, 1):
        if row.sequence != number:
            faults.append(
                f"Ledger row {number} carries the sequence number {row.sequence}; a row was taken out or "
                "put in."
            )
        if row.previous_hash != previous:
            faults.append(
                f"Ledger row {number} does not follow the row before it; the chain is broken there."
            )
        if row.row_hash != sha256(row.body()).hexdigest():
            faults.append(f"Ledger row {number} was changed after it was written; its hash does not fit.")
        previous = row.row_hash
    return faults


def rule_faults(rows: list[LedgerRow]) -> list[str]:
    """Sentences on publications that break a rule: windows that overlap, a family published twice."""
    faults = []
    releases: dict[str, LedgerRow] = {}
    seen: set[tuple[str, str]] = set()
    for row in rows:
        if (row.release_id, row.family) in seen:
            faults.append(f"Release {row.release_id} publishes the family {row.family} twice.")
        seen.add((row.release_id, row.family))
        releases.setdefault(row.release_id, row)
    listed = list(releases.values())
    for position, row in enumerate(listed):
        corrected = _corrected(row, releases)
        for earlier in listed[:position]:
            window, other = (Window(r.window_start, r.window_end, r.population) for r in (row, earlier))
            if earlier.release_id not in corrected and window.overlaps(other):
                faults.append(
                    f"The windows of the releases {earlier.release_id} and {row.release_id} overlap."
                )
    return faults


def _corrected(row: LedgerRow, releases: Mapping[str, LedgerRow]) -> set[str]:
    found: set[str] = set()
    while row.corrects and row.corrects not in found:
        found.add(row.corrects)
        if row.corrects not in releases:
            break
        row = releases[row.corrects]
    return found


def refuse_broken(folder: Path) -> list[LedgerRow]:
    """The rows of a sound ledger.

    Raises:
        RefusedError: the chain or a rule is broken.
    """
    rows = read_ledger(folder)
    faults = chain_faults(rows) + rule_faults(rows)
    if faults:
        raise RefusedError(
            f"The release ledger in {folder} is broken: {faults[0]} Restore it from its backup."
        )
    return rows


def refuse_window(rows: list[LedgerRow], release_id: str, window: Window, corrects: str | None) -> None:
    """Refuse a window that was published before.

    Raises:
        RefusedError: another release covers a part of the window, or the corrected release is not in the
        ledger.
    """
    releases = {row.release_id: row for row in rows}
    if corrects is not None:
        if corrects not in releases:
            raise RefusedError(f"Release {corrects} is not in the ledger, so it cannot be corrected.")
        old = releases[corrects]
        if (old.window_start, old.window_end, old.population) != (
            window.start,
            window.end,
            window.population,
        ):
            raise RefusedError(
                f"Release {corrects} is about another window; a correction is about the same one."
            )
    allowed = {release_id}
    if corrects is not None:
        allowed |= {corrects} | _corrected(releases[corrects], releases)
    for other in releases.values():
        if other.release_id in allowed:
            continue
        if window.overlaps(Window(other.window_start, other.window_end, other.population)):
            raise RefusedError(
                f"The window was published as release {other.release_id} (a window is published once, and "
                "windows do not overlap); name that release with --corrects, choose another window, or "
                "another releases folder for trials."
            )


def cells(tables: Mapping[str, pa.Table]) -> dict[tuple[str, tuple[Any, ...]], int | float | None]:
    """Values of all leaves: (table, key) to the value shown or ``None``."""
    found: dict[tuple[str, tuple[Any, ...]], int | float | None] = {}
    for name, (key, value) in LEAVES.items():
        table = tables.get(name)
        if table is None:
            continue
        for row in zip(*(table[column].to_pylist() for column in (*key, value)), strict=True):
            found[(name, row[:-1])] = row[-1]
    return found


def refuse_correction(
    old: Mapping[str, pa.Table], new: Mapping[str, pa.Table], verdicts: Mapping[tuple[str, str], bool] | None
) -> int:
    """Refuse a correction that could show what one conversation changed; returns how many cells change.

    Args:
        old: tables of the corrected release.
        new: tables of the candidate.
        verdicts: (table, key joined by ``|``) to whether both what was added and what was removed are safe
            blocks, as worked out on the private side, with the key ``*`` for all cells of a table that have none of
            their own; ``None`` when the private side gave none.

    Raises:
        RefusedError: a withheld cell would be published, or a change is not known to be safe.
    """
    before, after = cells(old), cells(new)
    changed = 0
    for cell in sorted(before.keys() | after.keys(), key=str):
        was, now = before.get(cell), after.get(cell)
        if was == now:
            continue
        name, key = cell[0], "|".join(str(part) for part in cell[1])
        if was is None:
            raise RefusedError(
                f"The cell {key} of {name} was withheld for this window; what was withheld stays withheld."
            )
        changed += 1
        if now is None:
            continue
        if verdicts is None:
            raise RefusedError(
                f"The cell {key} of {name} changes and the private side has no verdict on the change "
                f"(table {VERDICT_TABLE}); a change that nobody can check is not published."
            )
        if not verdicts.get((name, key), verdicts.get((name, OTHER_CELLS), False)):
            raise RefusedError(
                f"The cell {key} of {name} changes by conversations that are not a safe block; the "
                "difference of the two releases would show them."
            )
    return changed


def read_verdicts(private: Path, corrected: str) -> dict[tuple[str, str], bool] | None:
    """Verdicts of the private side on the changes since ``corrected``; ``None`` when it has none.

    The table ``wall.wall_correction_verdicts`` has (previous_release_id, mart, cell, is_added_safe,
    is_removed_safe). A build that knew no earlier publication of the window gives none.
    """
    if not private.is_file():
        return None
    connection = duckdb.connect(config={"threads": 1})
    try:
        quoted = str(private).replace("'", "''")
        connection.execute(f"attach '{quoted}' as private_side (read_only)")
        rows = connection.execute(
            f"select mart, cell, is_added_safe and is_removed_safe from private_side.{VERDICT_TABLE} where "
            "previous_release_id = ?",
            [corrected],
        ).fetchall()
    except duckdb.CatalogException:
        return None
    finally:
        connection.close()
    return {(str(mart), str(cell)): bool(is_safe) for mart, cell, is_safe in rows} or None


def append(folder: Path, rows: Iterable[Mapping[str, Any]], now: datetime | None = None) -> list[LedgerRow]:
    """Chain rows (all fields but sequence, published_at and the hashes) to the ledger, in one write,
    flushed to disk.
    """
    known = read_ledger(folder)
    previous = known[-1].row_hash if known else FIRST
    stamp = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    added: list[LedgerRow] = []
    for values in rows:
        draft = LedgerRow(
            **values,
            sequence=len(known) + len(added) + 1,
            published_at=stamp,
            previous_hash=previous,
            row_hash="",
        )
        row = LedgerRow(**{**asdict(draft), "row_hash": sha256(draft.body()).hexdigest()})
        previous = row.row_hash
        added.append(row)
    text = "".join(
        json.dumps(asdict(row), sort_keys=True, ensure_ascii=True) + "\n" for row in [*known, *added]
    )
    # The whole file is replaced, so that a full disk or a crash leaves the old chain, never half a row.
    partial = folder / f".{LEDGER_NAME}.{os.getpid()}"
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / LEDGER_NAME)
    return added


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the publication lock of a releases folder; a second publication waits."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".publish.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
