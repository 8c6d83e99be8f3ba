"""Differencing (attack A3): what a release shows together with the releases published before it."""

from __future__ import annotations

import json
from pathlib import Path

from economic_index.disclosure.audit.findings import Collector
from economic_index.disclosure.audit.release import Release, read_release
from economic_index.errors import UserError
from economic_index.release.ledger import LedgerRow, Window, cells, window_of

FLOOR = 15


def check_history(
    release: Release, release_id: str | None, into: Path, rows: list[LedgerRow], found: Collector
) -> int:
    """Compare a release with every other one in ``into``; returns how many cells were compared.

    Two releases about windows that overlap can be subtracted: where neither corrects the other that is a
    finding in itself, and every cell that one shows and the other withholds, or that differs by less than a
    safe block, is one more.
    """
    try:
        window = window_of(release.manifest())
    except UserError:
        return 0
    corrections = {(row.release_id, row.corrects) for row in rows if row.corrects}
    compared = 0
    for folder in sorted(into.glob("*/manifest.json")):
        other_id = folder.parent.name
        if other_id == release_id or folder.parent.is_symlink():
            continue
        try:
            facts = json.loads(folder.read_text(encoding="utf-8"))["release"]
            other_window = window_of(facts)
        except (ValueError, KeyError, UserError):
            found.add(
                "history", "A3", "releases", other_id, "The manifest of an earlier release cannot be read."
            )
            continue
        if not window.overlaps(other_window):
            continue
        is_correction = bool({(release_id, other_id), (other_id, release_id)} & corrections)
        if not is_correction:
            found.add(
                "history",
                "A3",
                "releases",
                other_id,
                f"The window overlaps that of release {other_id}; the two can be subtracted.",
            )
        if window == other_window:
            compared += _compare(release, read_release(folder.parent), other_id, is_correction, found)
    return compared


def _compare(release: Release, other: Release, other_id: str, is_correction: bool, found: Collector) -> int:
    now, before = cells(release.tables), cells(other.tables)
    shared = sorted(now.keys() & before.keys(), key=str)
    for cell in shared:
        a, b = now[cell], before[cell]
        name, key = cell[0], "|".join(str(part) for part in cell[1])
        if (a is None) != (b is None) and not (is_correction and a is None):
            found.add(
                "history",
                "A3",
                name,
                key,
                f"The cell is shown in one and withheld in the other of this release and {other_id}.",
            )
        elif a is not None and b is not None and a != b and not is_correction and abs(a - b) < FLOOR:
            found.add(
                "history",
                "A3",
                name,
                key,
                f"The cell differs from that of release {other_id} by less than 15.",
            )
    return len(shared)


def overlapping(window: Window, rows: list[LedgerRow]) -> set[str]:
    """Releases of the ledger whose window overlaps ``window``."""
    return {
        row.release_id
        for row in rows
        if window.overlaps(Window(row.window_start, row.window_end, row.population))
    }
