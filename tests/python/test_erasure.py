"""A person leaves and the window is built again: what is published is what was published before, or nothing is.

One account at a time, on the wall's own SQL; with and without ``--corrects``, with and without verdicts of the private side
on the change. ``ECONOMIC_INDEX_PROOFS=all`` takes fifty accounts out, else there are twelve.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from compiled_wall import CompiledWall
from released import reference_of
from synthetic_facts import make_facts
from wall_project import Built, run_wall

from economic_index.errors import RefusedError
from economic_index.release import publish as module
from economic_index.release.files import csv_bytes
from economic_index.release.ledger import VERDICT_TABLE, cells
from economic_index.release.publish import Published, publish

N_ERASED = 50 if os.environ.get("ECONOMIC_INDEX_PROOFS") == "all" else 12


@pytest.fixture(scope="module")
def data() -> tuple[pa.Table, pa.Table]:
    return make_facts(3000, seed=9, sigma=2.0, n_accounts=420, countries=("US", "IN", "BR"))


@pytest.fixture(scope="module")
def wall(data: tuple[pa.Table, pa.Table], tmp_path_factory: pytest.TempPathFactory) -> CompiledWall:
    return CompiledWall(run_wall(tmp_path_factory.mktemp("wall"), *data, models=("other", "small", "large")))


@pytest.fixture(autouse=True)
def one_warehouse(wall: CompiledWall, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The keys of the first build, records and releases of this test, and an audit without joint bounds: here the
    ledger is what matters.
    """
    warehouse = tmp_path / "warehouse"
    warehouse.mkdir(mode=0o700)
    shutil.copytree(wall.built.private.parent / "keys", warehouse / "keys")
    monkeypatch.setenv("ECONOMIC_INDEX_WAREHOUSE", str(warehouse))
    monkeypatch.setenv("ECONOMIC_INDEX_RELEASES", str(tmp_path / "releases"))
    monkeypatch.setattr(module, "audit", partial(module.audit, attacks=("tables",)))


def chosen(facts: pa.Table) -> list[str]:
    """The heaviest accounts, those of one conversation, and some between."""
    sizes = Counter(facts["account_key"].drop_null().to_pylist())
    order = sorted(sizes, key=lambda account: (sizes[account], account))
    between = order[len(order) // 3 :: len(order) // 40]
    # In turns, so that few accounts are of every kind as well.
    kinds = zip(order[:20], reversed(order[-20:]), between, strict=False)
    return list(dict.fromkeys(account for kind in kinds for account in kind))[:N_ERASED]


def without(data: tuple[pa.Table, pa.Table], account: str) -> tuple[pa.Table, pa.Table]:
    facts, labels = data
    left = facts.filter(pc.fill_null(pc.not_equal(facts["account_key"], account), True))
    return left, labels.filter(pc.is_in(labels["conversation_id"], left["conversation_id"]))


def released(built: Built, into: Path, **options: object) -> Published:
    return publish(
        candidate=built.candidate, into=into, private=built.private, folders=reference_of(built), **options
    )


def tables_of(path: Path) -> dict[str, pa.Table]:
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [
            n
            for (n,) in connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts'"
            ).fetchall()
        ]
        return {name: connection.execute(f'select * from marts."{name}"').to_arrow_table() for name in names}


def test_the_same_facts_again_are_the_same_release(
    data: tuple[pa.Table, pa.Table], wall: CompiledWall, tmp_path: Path
) -> None:
    first = released(wall.built, tmp_path / "releases")
    again = wall.run(*data, tmp_path / "again")
    assert released(again, tmp_path / "releases").is_new is False
    before, after = tables_of(wall.built.candidate), tables_of(again.candidate)
    assert first.is_new and before.keys() == after.keys()
    order = {name: [(column, "ascending") for column in table.column_names] for name, table in before.items()}
    for name, table in before.items():
        assert csv_bytes(table.sort_by(order[name])) == csv_bytes(after[name].sort_by(order[name])), name


@pytest.mark.slow
def test_after_any_erasure_the_release_is_the_same_or_refused(
    data: tuple[pa.Table, pa.Table], wall: CompiledWall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other rebuild knows the records that the first publication kept, so its verdicts on the change are there."""
    into = tmp_path / "releases"
    first = released(wall.run(*data, tmp_path / "first"), into)
    before = cells(tables_of(first.folder / "release.duckdb"))
    published = sorted(path.name for path in into.iterdir())
    shutil.copytree(into, tmp_path / "kept", symlinks=True)
    accounts = chosen(data[0])
    outcomes: Counter[str] = Counter()
    n_changed = n_judged = 0
    for number, account in enumerate(accounts):
        folder = tmp_path / f"erased-{number}"
        monkeypatch.setenv("ECONOMIC_INDEX_RELEASES", str(into if number % 2 else tmp_path / "none"))
        rebuilt = wall.run(*without(data, account), folder)
        n_changed += cells(tables_of(rebuilt.candidate)) != before
        n_judged += n_verdicts(rebuilt) > 0
        for corrects in (None, first.release_id):
            try:
                done = released(rebuilt, into, corrects=corrects)
            except RefusedError:
                outcomes["refused"] += 1
                assert sorted(path.name for path in into.iterdir()) == published
            else:
                # Only what is published already may be published: not one leaf may differ.
                outcomes["same"] += 1
                assert cells(tables_of(done.folder / "release.duckdb")) == before
                _remove(into)
                shutil.copytree(tmp_path / "kept", into, symlinks=True)
        shutil.rmtree(folder)
    assert len(accounts) == N_ERASED and sum(outcomes.values()) == 2 * N_ERASED
    # One conversation less can leave every rounded value as it was: then there is nothing to refuse.
    assert outcomes["refused"] > 1.2 * N_ERASED
    # The erasures do show in the rebuilt tables, and where records are kept they are judged: there was something to refuse.
    assert n_changed > N_ERASED * 0.5
    assert n_judged >= N_ERASED // 2 - 2


def _remove(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


def n_verdicts(built: Built) -> int:
    """How many cells the private side has a verdict on."""
    with duckdb.connect(str(built.private), read_only=True) as connection:
        row = connection.execute(f"select count(*) from {VERDICT_TABLE}").fetchone()
    return int(row[0]) if row else 0


@pytest.mark.parametrize("is_safe", [False, True])
def test_a_verdict_decides_about_a_correction(
    is_safe: bool, data: tuple[pa.Table, pa.Table], wall: CompiledWall, tmp_path: Path
) -> None:
    """The verdict table as docs/publishing.md has it, filled in by hand: one cell that is not safe refuses all."""
    into = tmp_path / "releases"
    first = released(wall.run(*data, tmp_path / "first"), into)
    account = chosen(data[0])[1]
    rebuilt = wall.run(*without(data, account), tmp_path / "erased")
    before, after = cells(tables_of(first.folder / "release.duckdb")), cells(tables_of(rebuilt.candidate))
    changed = [cell for cell in before if before[cell] != after.get(cell)]
    assert changed
    with duckdb.connect(str(rebuilt.private)) as connection:
        connection.execute(f"drop table if exists {VERDICT_TABLE}")
        connection.execute(
            f"create table {VERDICT_TABLE} (previous_release_id varchar, mart varchar, cell varchar, "
            "is_added_safe boolean, is_removed_safe boolean)"
        )
        for mart, key in changed:
            row = [first.release_id, mart, "|".join(str(part) for part in key), True, is_safe]
            connection.execute(f"insert into {VERDICT_TABLE} values (?, ?, ?, ?, ?)", row)
    uncovered = [cell for cell in changed if before[cell] is None]
    if is_safe and not uncovered:
        assert released(rebuilt, into, corrects=first.release_id).is_new
    else:
        with pytest.raises(RefusedError):
            released(rebuilt, into, corrects=first.release_id)
