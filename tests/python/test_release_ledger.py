"""The release ledger: chain, windows, corrections."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from economic_index.errors import RefusedError, UserError
from economic_index.release.ledger import (
    LEDGER_NAME,
    Window,
    append,
    chain_faults,
    read_ledger,
    read_verdicts,
    refuse_broken,
    refuse_correction,
    refuse_window,
    rule_faults,
    window_of,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def row(
    release: str = "a" * 16,
    family: str = "task_usage",
    start: str = "2026-01-01",
    end: str = "2026-02-01",
    population: str = "all",
    corrects: str | None = None,
) -> dict[str, Any]:
    return {
        "release_id": release,
        "corrects": corrects,
        "window_start": start,
        "window_end": end,
        "population": population,
        "family": family,
        "block_map_hash": "b",
        "value_hash": "v",
        "input_manifest_hash": "i",
        "policy_hash": "p",
        "audit_hash": "d",
        "manifest_hash": "m",
        "epsilon": None,
    }


def test_chain_holds_and_starts_at_zero(tmp_path: Path) -> None:
    append(tmp_path, [row(), row(family="skill_usage")], NOW)
    append(tmp_path, [row("b" * 16, start="2026-02-01", end="2026-03-01")], NOW)
    rows = read_ledger(tmp_path)
    assert [r.sequence for r in rows] == [1, 2, 3]
    assert rows[0].previous_hash == "0" * 64 and rows[2].previous_hash == rows[1].row_hash
    assert chain_faults(rows) == [] and rule_faults(rows) == []
    assert rows[0].published_at == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("field", ["value_hash", "window_end", "published_at", "release_id", "epsilon"])
def test_any_change_of_a_row_is_seen(field: str, tmp_path: Path) -> None:
    append(tmp_path, [row(), row(family="skill_usage")], NOW)
    path = tmp_path / LEDGER_NAME
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0][field] = 1.5 if field == "epsilon" else "changed"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert any("row 1 was changed" in fault for fault in chain_faults(read_ledger(tmp_path)))


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_row_taken_out_is_seen(gone: int, tmp_path: Path) -> None:
    append(tmp_path, [row(family=name) for name in ("a", "b", "c")], NOW)
    path = tmp_path / LEDGER_NAME
    lines = path.read_text().splitlines()
    del lines[gone]
    path.write_text("".join(line + "\n" for line in lines))
    faults = chain_faults(read_ledger(tmp_path))
    # The last row can only be missed by looking at the folders, which `audit --ledger` does.
    assert bool(faults) == (gone < 2)


def test_unreadable_and_broken_ledgers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / LEDGER_NAME
    path.write_text("{}\n")
    with pytest.raises(RefusedError, match="Line 1 of"):
        refuse_broken(tmp_path)
    path.unlink()
    append(tmp_path, [row(), row("b" * 16)], NOW)
    with pytest.raises(RefusedError, match="overlap"):
        refuse_broken(tmp_path)


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        (("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-03-01"), False),
        (("2026-01-01", "2026-02-01"), ("2026-01-31T23:59:59", "2026-03-01"), True),
        (("all", "2026-02-01"), ("2026-02-01", "all"), False),
        (("all", "all"), ("2026-02-01", "2026-03-01"), True),
        (("2026-01-01", "all"), ("2025-01-01", "2026-01-01T00:00:00Z"), False),
        (("2026-01-01", "2026-12-31"), ("2026-03-01", "2026-04-01"), True),
    ],
)
def test_windows_are_half_open(first: tuple[str, str], second: tuple[str, str], overlap: bool) -> None:
    one, two = Window(*first, "all"), Window(*second, "all")
    assert one.overlaps(two) is overlap and two.overlaps(one) is overlap


def test_populations_that_differ_are_apart_but_all_is_everybody() -> None:
    window = ("2026-01-01", "2026-02-01")
    assert not Window(*window, "chosen:00000001").overlaps(Window(*window, "chosen:00000002"))
    assert Window(*window, "chosen:00000001").overlaps(Window(*window, "all"))


@given(st.integers(0, 400), st.integers(1, 60), st.integers(0, 400), st.integers(1, 60))
def test_overlap_is_that_of_sets_of_days(a: int, n: int, b: int, m: int) -> None:
    def day(number: int) -> str:
        return datetime.fromordinal(738000 + number).date().isoformat()

    expected = bool(set(range(a, a + n)) & set(range(b, b + m)))
    assert Window(day(a), day(a + n), "all").overlaps(Window(day(b), day(b + m), "all")) is expected


def test_window_needs_times() -> None:
    assert (
        window_of({"window_start": "all", "window_end": "2026-01-01", "population": "all"}).end
        == "2026-01-01"
    )
    with pytest.raises(UserError, match="does not name a window"):
        window_of({"window_start": "soon", "window_end": "all", "population": "all"})
    with pytest.raises(UserError, match="does not name a window"):
        window_of({})


def test_corrections_name_a_release_of_the_same_window(tmp_path: Path) -> None:
    append(tmp_path, [row()], NOW)
    rows = read_ledger(tmp_path)
    window = Window("2026-01-01", "2026-02-01", "all")
    refuse_window(rows, "b" * 16, window, "a" * 16)
    with pytest.raises(RefusedError, match="is not in the ledger"):
        refuse_window(rows, "b" * 16, window, "c" * 16)
    with pytest.raises(RefusedError, match="about another window"):
        refuse_window(rows, "b" * 16, Window("2026-01-02", "2026-02-01", "all"), "a" * 16)
    with pytest.raises(RefusedError, match="a window is published once"):
        refuse_window(rows, "b" * 16, window, None)


def outcomes(**counts: int | None) -> dict[str, pa.Table]:
    return {
        "outcome_totals": pa.table(
            {"outcome": list(counts), "n_conversations": pa.array(list(counts.values()), pa.int64())}
        )
    }


def test_what_was_withheld_stays_withheld() -> None:
    with pytest.raises(RefusedError, match="stays withheld"):
        refuse_correction(outcomes(none=None), outcomes(none=20), {("outcome_totals", "none"): True})


def test_a_change_needs_a_verdict_that_both_sides_are_safe() -> None:
    old, new = outcomes(none=40, failed=30), outcomes(none=60, failed=30)
    with pytest.raises(RefusedError, match="no verdict"):
        refuse_correction(old, new, None)
    with pytest.raises(RefusedError, match="not a safe block"):
        refuse_correction(old, new, {})
    with pytest.raises(RefusedError, match="not a safe block"):
        refuse_correction(old, new, {("outcome_totals", "none"): False})
    assert refuse_correction(old, new, {("outcome_totals", "none"): True}) == 1
    assert refuse_correction(old, old, None) == 0
    assert refuse_correction(old, outcomes(none=None, failed=30), None) == 1


def test_verdicts_come_from_the_private_side(tmp_path: Path) -> None:
    path = tmp_path / "private.duckdb"
    assert read_verdicts(path, "a" * 16) is None
    connection = duckdb.connect(str(path))
    connection.execute("create schema wall")
    connection.close()
    assert read_verdicts(path, "a" * 16) is None
    connection = duckdb.connect(str(path))
    connection.execute(
        "create table wall.wall_correction_verdicts as select * from (values ('aaaaaaaaaaaaaaaa', "
        "'skill_usage', 'writing', "
        "true, false), ('aaaaaaaaaaaaaaaa', 'skill_usage', 'science', true, true), ('b', 'skill_usage', "
        "'x', true, true)) "
        "as v (previous_release_id, mart, cell, is_added_safe, is_removed_safe)"
    )
    connection.close()
    assert read_verdicts(path, "a" * 16) == {
        ("skill_usage", "writing"): False,
        ("skill_usage", "science"): True,
    }
