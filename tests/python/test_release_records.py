"""Corrections: what publishing keeps, who moved between blocks, and what a verdict lets through."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from macro_sql import project
from released import reference_of, small_release
from typer.testing import CliRunner
from wall_project import run_wall

from economic_index.commands.erase import register
from economic_index.disclosure.audit.release import read_release
from economic_index.errors import RefusedError, UserError
from economic_index.release.ledger import append, cells, refuse_broken
from economic_index.release.publish import publish
from economic_index.release.records import (
    RECORDS_SCHEMA,
    earlier_records,
    erase_account,
    keep_records,
    present_records,
    read_records,
    side_of,
)

POLICY = """
    create table wall_policy as select 15 as min_conversations, 5 as min_accounts,
    0.5 as max_share_of_largest_account, 10 as min_conversations_without_two_largest,
    3 as min_accounts_without_two_largest, 0.1 as min_remainder_share_of_largest
"""
OLD, NEW = "a" * 16, "b" * 16
Row = tuple[str, str, int, int]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = keep_records(small_release().private, OLD, tmp_path_factory.mktemp("published"))
    assert path is not None
    return path


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    opened = duckdb.connect()
    opened.execute(POLICY)
    yield opened
    opened.close()


def verdicts(
    connection: duckdb.DuckDBPyConnection, before: pa.Table, now: pa.Table
) -> dict[tuple[str, str], bool]:
    """(mart, cell) to whether what was added and what was removed are safe, by the project's own SQL."""
    connection.register("published_records", before)
    connection.register("present_records", now)
    for name in ("wall_correction_moves", "wall_correction_verdicts"):
        sql = project().model(f"wall/{name}.sql")
        connection.execute(f"create or replace table {name} as {sql}")
    rows = connection.execute(
        "select mart, cell, is_added_safe and is_removed_safe, previous_release_id from wall_correction_verdicts"
    ).fetchall()
    assert {row[3] for row in rows} <= {OLD}
    return {(mart, cell): bool(is_safe) for mart, cell, is_safe, _ in rows}


def records(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {"previous_release_id": OLD, "side": s, "block_id": b, "account": a, "record": r}
            for s, b, a, r in rows
        ],
        schema=RECORDS_SCHEMA,
    )


def group(first: int, n: int, block: str = "spine|task|7|directive", *, n_accounts: int = 0) -> list[Row]:
    """``n`` conversations in a block, each by an account of its own unless said otherwise."""
    side = "|".join(block.split("|")[:3]) if block.startswith("multi_label") else block.split("|")[0]
    return [(side, block, 1000 + i % (n_accounts or n), i) for i in range(first, first + n)]


def test_every_block_is_kept_with_exactly_its_conversations(kept: Path) -> None:
    with duckdb.connect(str(small_release().private), read_only=True) as private:
        blocks = {
            row[0]: row[1:]
            for row in private.execute(
                "select block_id, n, n_accounts, lower(right(record_digest, 16)) from wall.wall_blocks"
            ).fetchall()
        }
        sides = private.execute("select distinct block_id, side from wall.wall_leaf_records").fetchall()
    assert [side for block, side in sides if side_of(block) != side] == []
    found = duckdb.connect()
    found.register("found", read_records(kept))
    counted = {
        row[0]: row[1:]
        for row in found.execute(
            "select block_id, count(*), count(distinct account), lower(lpad(to_hex(bit_xor(record)), 16, '0')) "
            "from found group by 1"
        ).fetchall()
    }
    assert counted == blocks
    assert len({block.split("|")[0] for block in blocks}) >= 8
    twice = found.execute("select count(*) - count(distinct (side, record)) from found").fetchone()
    assert twice == (0,)


def test_kept_files_are_private_and_hold_no_text(kept: Path) -> None:
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.stat().st_size < 150 * 6000
    content = kept.read_bytes()
    assert b"conv-3-" not in content and b"acct-3-" not in content


def test_nothing_is_kept_without_the_view(tmp_path: Path) -> None:
    assert keep_records(tmp_path / "missing.duckdb", OLD, tmp_path) is None
    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    assert keep_records(tmp_path / "empty.duckdb", OLD, tmp_path) is None
    (tmp_path / "broken.parquet").write_text("no parquet")
    with pytest.raises(UserError, match="cannot be read"):
        read_records(tmp_path / "broken.parquet")


def test_the_same_conversations_give_no_verdict_at_all(
    kept: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    same = read_records(kept)
    assert verdicts(connection, same, same) == {}


def test_erasing_any_one_account_is_never_a_safe_change(
    kept: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    before = read_records(kept)
    connection.register("everything", before)
    connection.execute(
        "create table some_records as select * from everything where record in "
        "(select record from everything group by 1 order by 1 limit 1500)"
    )
    connection.execute("create view published_records as select * from some_records")
    accounts = connection.execute(
        "select account from some_records group by 1 order by count(*) desc, 1 limit 50"
    ).fetchall()
    sql = project().model("wall/wall_correction_moves.sql")
    for (account,) in accounts:
        connection.execute(
            f"create or replace view present_records as select * from some_records where account <> {account}"
        )
        found = connection.execute(
            f"select count(*), count(*) filter (where is_safe) from ({sql}) as moves"
        ).fetchone()
        assert found is not None and found[0] > 0 and found[1] == 0


CELL = ("task_collaboration_usage", "7|pattern|directive")


@pytest.mark.parametrize(
    ("added", "is_safe"),
    [
        (group(100, 30), True),
        (group(100, 1), False),
        (group(100, 14), False),
        (group(100, 30, n_accounts=4), False),
        ([*group(100, 20), *[("spine", "spine|task|7|directive", 1, 200 + i) for i in range(25)]], False),
    ],
)
def test_what_is_added_must_be_a_safe_block(
    added: list[Row], is_safe: bool, connection: duckdb.DuckDBPyConnection
) -> None:
    before = group(0, 40)
    found = verdicts(connection, records(before), records(before + added))
    assert found[CELL] is is_safe
    assert found[("outcome_totals", "classified")] is is_safe
    assert found[("collaboration_usage", "*")] is is_safe
    reverse = verdicts(connection, records(before + added), records(before))
    assert reverse == found


def test_a_replaced_conversation_is_two_unsafe_groups(connection: duckdb.DuckDBPyConnection) -> None:
    before, other = group(0, 40), group(0, 40)
    other[0] = ("spine", "spine|task|7|directive", 5, 999)
    assert verdicts(connection, records(before), records(other))[CELL] is False


def test_groups_that_move_are_judged_by_where_they_come_from(connection: duckdb.DuckDBPyConnection) -> None:
    """29 of a shown pattern join the residual: safe. One newcomer among them is not, though 30 are added."""
    own, rest = "spine|task|7|learning", "spine|task|7|*"
    before = group(0, 40, rest) + group(100, 29, own)
    moved = group(0, 40, rest) + [("spine", rest, a, r) for _, _, a, r in group(100, 29, own)]
    cell = ("task_collaboration_usage", "7|pattern|not_attributed")
    assert verdicts(connection, records(before), records(moved))[cell] is True
    assert verdicts(connection, records(before), records(moved + group(500, 1, rest)))[cell] is False


def test_those_without_an_option_count_as_well(connection: duckdb.DuckDBPyConnection) -> None:
    """30 are added, 28 of them with a skill: who subtracts knows that two are without it."""
    skill = "multi_label|skill|writing"
    before = group(0, 40) + group(0, 20, skill)
    cell = ("skill_usage", "writing")
    all_with = before + group(100, 30) + group(100, 30, skill)
    assert verdicts(connection, records(before), records(all_with))[cell] is True
    two_without = before + group(100, 30) + group(100, 28, skill)
    assert verdicts(connection, records(before), records(two_without))[cell] is False
    relabelled = before + group(20, 15, skill)
    assert verdicts(connection, records(before), records(relabelled))[cell] is True
    one_relabelled = before + group(20, 1, skill)
    assert verdicts(connection, records(before), records(one_relabelled))[cell] is False


def ledger_row(release: str, start: str) -> dict[str, Any]:
    shared = dict.fromkeys(
        (
            "family",
            "block_map_hash",
            "value_hash",
            "input_manifest_hash",
            "policy_hash",
            "audit_hash",
            "manifest_hash",
        ),
        "x",
    )
    window = {"window_start": start, "window_end": "2026-03-01", "population": "all"}
    return {"release_id": release, "corrects": None, "epsilon": None, **window, **shared}


def test_the_last_publication_of_the_same_window_is_read(kept: Path, tmp_path: Path) -> None:
    run = pa.table(
        {
            "release_id": [NEW],
            "window_start": ["2026-01-01"],
            "window_end": ["2026-03-01"],
            "population": ["all"],
        }
    )
    assert earlier_records(run, tmp_path / "none", tmp_path).equals(RECORDS_SCHEMA.empty_table())
    append(tmp_path, [ledger_row("c" * 16, "2026-02-01")])
    assert earlier_records(run, kept.parent, tmp_path).num_rows == 0
    append(tmp_path, [ledger_row(OLD, "2026-01-01")])
    found = earlier_records(run, kept.parent, tmp_path)
    assert found.equals(read_records(kept)) and found.num_rows > 6000
    again = run.set_column(0, "release_id", pa.array([OLD]))
    assert earlier_records(again, kept.parent, tmp_path).num_rows == 0


def test_single_conversations_are_not_looked_at_without_an_earlier_publication() -> None:
    connection = duckdb.connect()
    connection.execute("create table earlier (block_id text)")
    earlier, never = connection.table("earlier"), connection.sql("select error('looked at') as block_id")
    assert present_records(earlier, never).num_rows == 0
    connection.execute("insert into earlier values ('x')")
    with pytest.raises(duckdb.Error, match="looked at"):
        present_records(connection.table("earlier"), never).fetchall()


def test_an_account_is_erased_from_every_kept_file(kept: Path, tmp_path: Path) -> None:
    for name in (OLD, NEW):
        (tmp_path / f"{name}.parquet").write_bytes(kept.read_bytes())
    before = read_records(kept)
    with duckdb.connect(str(small_release().private), read_only=True) as private:
        key, n = private.execute(
            "select account_key, count(*) from facts.fct_conversations where account_key is not null "
            "group by 1 order by 2 desc, 1 limit 1"
        ).fetchall()[0]
    assert erase_account("nobody", tmp_path) == 0
    assert erase_account(key, tmp_path) == 2 * n
    for name in (OLD, NEW):
        path = tmp_path / f"{name}.parquet"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (
            len(set(before["record"].to_pylist())) - len(set(read_records(path)["record"].to_pylist())) == n
        )


def more(facts: pa.Table, labels: pa.Table, n: int, n_accounts: int) -> tuple[pa.Table, pa.Table]:
    """``facts`` and ``labels`` with ``n`` more conversations in the largest cell, all alike."""
    connection = duckdb.connect()
    connection.register("facts", facts)
    connection.register("labels", labels)
    usual = (
        "outcome = 'classified' and collaboration_pattern is not null and model = 'other' "
        "and not is_extended_thinking and country_code is not distinct from (select mode(country_code) from facts)"
    )
    typical = (
        connection.execute(
            f"select * from facts where {usual} and (task_id, collaboration_pattern) = (select (task_id, "
            f"collaboration_pattern) from facts where {usual} group by all order by count(*) desc limit 1) limit 1"
        )
        .to_arrow_table()
        .to_pylist()[0]
    )
    added = [
        typical
        | {
            "input_row": facts.num_rows + i,
            "conversation_id": f"late-{i}",
            "account_key": f"late-{i % n_accounts}",
        }
        for i in range(n)
    ]
    answers = [("skill", "reading_comprehension")]
    answers += [(facet, "explicitly") for facet in ("work_use",) if "work_use" in labels["facet"].to_pylist()]
    answers += [(f, "non") for f in ("coursework_use", "personal_use") if f in labels["facet"].to_pylist()]
    rows = [
        {"conversation_id": f"late-{i}", "facet": facet, "option_id": option, "confidence": None}
        for i in range(n)
        for facet, option in answers
    ]
    return (
        pa.concat_tables([facts, pa.Table.from_pylist(added, schema=facts.schema)]),
        pa.concat_tables([labels, pa.Table.from_pylist(rows, schema=labels.schema)]),
    )


@pytest.mark.slow
def test_a_correction_is_published_or_refused_as_a_whole(tmp_path: Path) -> None:
    """Forty people more of the most usual kind pass; ten conversations of one person do not."""
    built, into = small_release(), tmp_path / "releases"
    warehouse, folders = tmp_path / "warehouse", reference_of(built)
    shutil.copytree(built.private.parent / "keys", warehouse / "keys")
    first = publish(
        candidate=built.candidate,
        private=built.private,
        folders=folders,
        into=into,
        records=made(warehouse / "published"),
    )
    facts = pq.read_table(built.private.parent.parent / "facts.parquet")
    labels = pq.read_table(built.private.parent.parent / "labels.parquet")
    models = ("other", "small", "large")
    build = partial(run_wall, models=models, earlier=warehouse, releases=into)
    one = build(tmp_path / "one", *more(facts, labels, 10, 1))
    with pytest.raises(RefusedError, match="not a safe block"):
        publish(
            candidate=one.candidate,
            private=one.private,
            folders=folders,
            into=into,
            corrects=first.release_id,
            records=warehouse / "published",
        )
    assert (into / "latest").resolve().name == first.release_id
    many = build(tmp_path / "many", *more(facts, labels, 40, 40))
    second = publish(
        candidate=many.candidate,
        private=many.private,
        folders=folders,
        into=into,
        corrects=first.release_id,
        records=warehouse / "published",
    )
    assert second.is_new and {row.corrects for row in refuse_broken(into)} == {None, first.release_id}
    old, new = (read_release(into / release).tables for release in (first.release_id, second.release_id))
    before, after = cells(old), cells(new)
    changed = {cell for cell in before if before[cell] != after.get(cell)}
    assert changed and all(before[cell] is not None for cell in changed)
    # The same records have the same value: most cells did not change at all.
    assert len(changed) < 0.1 * sum(value is not None for value in before.values())
    assert sorted(path.stem for path in (warehouse / "published").iterdir()) == sorted(
        (first.release_id, second.release_id)
    )


def made(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    return folder


def test_accounts_are_erased_by_command(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "published").mkdir()
    path = tmp_path / "published" / f"{OLD}.parquet"
    path.write_bytes(kept.read_bytes())
    monkeypatch.setenv("ECONOMIC_INDEX_WAREHOUSE", str(tmp_path))
    with duckdb.connect(str(small_release().private), read_only=True) as private:
        row = private.execute("select min(account_key) from facts.fct_conversations").fetchone()
    assert row is not None
    n_before = len(set(read_records(path)["record"].to_pylist()))
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    done = CliRunner().invoke(app, ["erase-accounts", "-", "--json"], input=f"{row[0]}\nnobody\n")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["n_accounts"] == 2 and found["n_records_erased"] > 0
    assert n_before - len(set(read_records(path)["record"].to_pylist())) == found["n_records_erased"]
