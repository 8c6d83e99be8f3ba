"""The differential-privacy mode: what is promised holds, what would break it is refused."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from economic_index.commands import private_release as command
from economic_index.disclosure import differential_privacy as dp
from economic_index.errors import RefusedError, UserError
from economic_index.keys import keyed_digest
from economic_index.release import ledger, private_release, private_tables
from economic_index.release.private_release import (
    dp_ledger_faults,
    dp_releases_of_window,
    refuse_beside_dp,
    refuse_beside_exact,
    release_privately,
)

KEY = b"k" * 32
WINDOW = ledger.Window("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "all")
N_TASKS = 60
Row = tuple[str | None, str, int]


def facts(n: int = 4000, seed: int = 3) -> list[Row]:
    """(account, conversation id, task id): heavy accounts, some without an account, most tasks unused."""
    draw = np.random.default_rng(seed)
    accounts = (draw.pareto(1.0, n) * 20).astype(int) % 500
    tasks = np.minimum(draw.geometric(0.12, n), N_TASKS)
    return [
        (None if i % 50 == 0 else f"account-{a:09d}", f"conversation-{i:07d}", int(t))
        for i, (a, t) in enumerate(zip(accounts, tasks, strict=True))
    ]


def write_private(path: Path, rows: list[Row], **run: Any) -> Path:
    """A private database with what the mode reads, and nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    shown = {
        "release_id": "0123456789abcdef",
        "taxonomy_release": "test",
        "window_start": WINDOW.start,
        "window_end": WINDOW.end,
        "population": "all",
        "sample_n": "all",
        "engine": "local",
        "is_test_accounts": False,
        **run,
    }
    columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    table = pa.table(
        {
            "conversation_id": pa.array(columns[1], pa.string()),
            "account_key": pa.array(columns[0], pa.string()),
            "task_id": pa.array(columns[2], pa.int64()),
        }
    )
    run_row = pa.Table.from_pylist([shown])
    with duckdb.connect(str(path)) as connection:
        connection.register("rows_given", table)
        connection.register("run_given", run_row)
        connection.execute(
            f"""
            create schema facts; create schema reference; create schema wall;
            create table facts.fct_conversations as
                select *, 'classified' as outcome from rows_given
                union all by name
                select 'screened-' || i as conversation_id, 'account-x' as account_key, null as task_id,
                    'screened_out' as outcome from range(30) as t(i);
            create table wall.wall_run as select * from run_given;
            create table reference.tasks as
                select i as task_id, 'Task number ' || i as task from range(1, {N_TASKS + 1}) as t(i);
            create table reference.occupations as
                select '11-' || (1000 + i) || '.00' as onet_soc_code, 'Occupation ' || i as title,
                    case when i < 5 then '11' else '13' end as soc_major_code,
                    case when i < 9 then 1 + i % 5 end as job_zone from range(10) as t(i);
            -- Every fifth task is held by three occupations.
            create table reference.task_allocation as
                with held as (
                    select i as task_id, k, case when i % 5 = 0 then 3 else 1 end as h
                    from range(1, {N_TASKS + 1}) as t(i), range(3) as u(k)
                )
                select task_id, '11-' || (1000 + (task_id + 3 * k) % 10) || '.00' as onet_soc_code,
                    cast(3 // h as hugeint) as weight_numerator, cast(3 as hugeint) as weight_denominator
                from held where k < h;
            create table reference.soc_major_groups as
                select * from (values ('11', 'Management'), ('13', 'Business')) as t(soc_major_code, title);
            create table reference.job_zones as
                select i as job_zone, 'Zone ' || i as name from range(1, 6) as t(i);
            """
        )
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ECONOMIC_INDEX_WAREHOUSE", str(tmp_path / "warehouse"))
    monkeypatch.setenv("ECONOMIC_INDEX_RELEASES", str(tmp_path / "releases"))
    write_private(tmp_path / "warehouse" / "private.duckdb", facts())
    yield tmp_path
    for folder in tmp_path.rglob("*"):
        if folder.is_dir() and not folder.is_symlink():
            folder.chmod(0o755)


def exact_release(into: Path, window: ledger.Window, release_id: str = "feedfacefeedface") -> None:
    into.mkdir(parents=True, exist_ok=True)
    hashes = (
        "block_map_hash",
        "value_hash",
        "input_manifest_hash",
        "policy_hash",
        "audit_hash",
        "manifest_hash",
    )
    row: dict[str, Any] = {name: "0" for name in hashes}
    row |= {"window_start": window.start, "window_end": window.end, "population": window.population}
    ledger.append(
        into, [{**row, "release_id": release_id, "corrects": None, "family": "task_usage", "epsilon": None}]
    )


def run_command(*arguments: str) -> Any:
    app = typer.Typer()
    command.register(app)
    return CliRunner().invoke(app, ["--epsilon", "0.5", "--max-conversations-per-account", "2", *arguments])


# Bounding


def test_each_account_keeps_its_smallest_keyed_hashes() -> None:
    rows = facts(600)
    kept = dp.bound_accounts(rows, 3, KEY)
    for account in {account for account, _, _ in rows}:
        own = sorted((keyed_digest(KEY, "dp-bound", name), task) for a, name, task in rows if a == account)
        assert kept[account] == own[:3]


def test_rows_without_an_account_are_one_account() -> None:
    kept = dp.bound_accounts([(None, f"c{i}", i) for i in range(40)], 4, KEY)
    assert list(kept) == [None]
    assert len(kept[None]) == 4


def test_another_key_keeps_other_conversations() -> None:
    rows: list[Row] = [("a", f"c{i}", i) for i in range(200)]
    assert dp.bound_accounts(rows, 20, KEY) != dp.bound_accounts(rows, 20, b"l" * 32)


def test_the_order_of_rows_does_not_matter() -> None:
    rows = facts(500)
    assert dp.bound_accounts(rows, 2, KEY) == dp.bound_accounts(rows[::-1], 2, KEY)


@pytest.mark.parametrize("limit", [1, 2, 7, 10_000])
def test_the_database_gives_what_the_definition_gives(tmp_path: Path, limit: int) -> None:
    rows = facts(3000)
    with private_tables.opened(write_private(tmp_path / "private.duckdb", rows)) as connection:
        found = dp.bounded_counts(connection, limit, KEY)
    expected: Counter[int] = Counter()
    for pairs in dp.bound_accounts(rows, limit, KEY).values():
        expected.update(task for _, task in pairs)
    assert found == expected
    if limit == 10_000:
        assert found == Counter(task for _, _, task in rows)


def test_only_classified_conversations_of_listed_tasks_count(tmp_path: Path) -> None:
    # The unlisted task must not take up one of the account's places either.
    rows: list[Row] = [("a", "c1", 1), ("a", "c2", 999_999), ("a", "c3", 1)]
    with private_tables.opened(write_private(tmp_path / "private.duckdb", rows)) as connection:
        assert dp.bounded_counts(connection, 2, KEY) == Counter({1: 2})


conversations = st.lists(
    st.tuples(st.one_of(st.none(), st.sampled_from("abcde")), st.integers(1, 6)), max_size=60
)


def counts_of(rows: list[Row], limit: int) -> Counter[int]:
    counts: Counter[int] = Counter()
    for pairs in dp.bound_accounts(rows, limit, KEY).values():
        counts.update(task for _, task in pairs)
    return counts


@given(conversations, st.integers(1, 5), st.one_of(st.none(), st.sampled_from("abcde")))
@settings(max_examples=300, deadline=None)
def test_one_account_moves_the_bounded_counts_by_at_most_c(
    listed: list[tuple[str | None, int]], limit: int, leaver: str | None
) -> None:
    rows: list[Row] = [(account, f"c{i}", task) for i, (account, task) in enumerate(listed)]
    here, gone = counts_of(rows, limit), counts_of([row for row in rows if row[0] != leaver], limit)
    moves = [here[task] - gone[task] for task in range(1, 7)]
    assert sum(moves) <= limit
    assert all(move >= 0 for move in moves)
    others = [a for a, _ in listed if a != leaver]
    assert sum(gone.values()) == sum(min(limit, n) for n in Counter(others).values())


# The mechanism


@pytest.mark.parametrize(
    ("limit", "epsilon"), [(1, 1.0), (3, 1.0), (3, 0.3), (7, 0.7), (10, 0.1), (10_000, 0.001)]
)
def test_epsilon_is_c_over_scale(limit: int, epsilon: float) -> None:
    mechanism = dp.make_mechanism(limit, epsilon)
    assert mechanism.scale == pytest.approx(limit / epsilon, rel=1e-12)
    assert mechanism.scale >= limit / epsilon
    # OpenDP's own map: never above what was asked for, and no noise wasted.
    assert epsilon * (1 - 1e-12) <= mechanism.epsilon <= epsilon


def test_the_noise_is_discrete_laplace_of_that_scale() -> None:
    scale, n = 6.0, 40_000
    noise = np.array(dp.make_mechanism(3, 0.5).release([0] * n))
    error = dp.leaf_error(scale)
    variance = 2 * math.exp(-1 / scale) / (1 - math.exp(-1 / scale)) ** 2
    # Six standard errors each: about one false alarm in 10^8 runs.
    assert abs(noise.mean()) < 6 * math.sqrt(variance / n)
    assert abs(np.abs(noise).mean() - error.expected) < 6 * math.sqrt(variance / n)
    assert abs(noise.var() / variance - 1) < 6 * math.sqrt(5.1 / n)
    outside = (np.abs(noise) > error.bound_95).mean()
    assert outside < 0.05 + 6 * math.sqrt(0.05 / n)
    assert (np.abs(noise) > error.bound_95 - 1).mean() > 0.05 - 6 * math.sqrt(0.05 / n)
    # Neighbours differ by exp(1 / scale): P(0) / P(1), P(1) / P(2), ...
    seen = Counter(noise.tolist())
    for value in range(4):
        ratio = seen[value] / seen[value + 1]
        assert ratio == pytest.approx(math.exp(1 / scale), rel=6 * math.sqrt(2 / seen[value + 1]))


def test_noise_is_added_to_each_count_and_differs_between_draws() -> None:
    mechanism = dp.make_mechanism(1, 1.0)
    counts = [10**6 * i for i in range(400)]
    first, second = mechanism.release(counts), mechanism.release(counts)
    assert first != second
    assert max(abs(a - b) for a, b in zip(first, counts, strict=True)) < 60
    noise = [a - b for a, b in zip(first, counts, strict=True)]
    assert len(set(noise)) > 4


def test_no_seed_and_no_other_generator_in_the_noise() -> None:
    source = Path(dp.__file__).read_text(encoding="utf-8")
    assert not any(word in source for word in ("import random", "numpy", "default_rng", "seed("))


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0, 30.0])
@pytest.mark.parametrize(
    "weights", [[1.0], [1 / 3], [1.0] * 2, [1.0, 1 / 3, 1 / 3], [1.0] * 20, [1 / 34] * 3 + [1.0] * 5]
)
def test_stated_errors_cover_the_noise_of_sums(weights: list[float], scale: float) -> None:
    draw = np.random.default_rng(5)  # only this test's noise
    n, decay = 60_000, math.exp(-1 / scale)
    shape = (n, len(weights))
    sums = (draw.geometric(1 - decay, shape) - draw.geometric(1 - decay, shape)) @ np.array(weights)
    error = dp.sum_error(weights, scale)
    outside = (np.abs(sums) > error.bound_95 + 1e-9).mean()
    assert outside < 0.0535
    # Where noise moves in steps that are small beside it, the figures are close; below that they err on the
    # safe side.
    assert outside > 0.035 or scale < 3
    assert 0.97 < error.expected / np.abs(sums).mean() < (1.03 if scale >= 3 else 1.25)


def test_a_unit_without_tasks_has_no_error() -> None:
    assert dp.sum_error([], 3.0) == dp.NoiseError(0.0, 0.0)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf, 1e-9])
def test_epsilon_out_of_range_is_refused(epsilon: float) -> None:
    with pytest.raises(UserError, match="Epsilon has to be a number from"):
        dp.make_mechanism(1, epsilon)


@pytest.mark.parametrize("limit", [0, -3, 10_001])
def test_c_out_of_range_is_refused(limit: int) -> None:
    with pytest.raises(UserError, match="between 1 and 10,000"):
        dp.make_mechanism(limit, 1.0)


def test_a_missing_opendp_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opendp.prelude", None)
    with pytest.raises(
        UserError, match=r"opendp, which is not installed; run pip install 'economic-index\[dp\]'\.$"
    ):
        dp.make_mechanism(1, 1.0)


# The release


def read(folder: Path, table: str) -> list[dict[str, Any]]:
    return pq.read_table(folder / "parquet" / f"{table}.parquet").to_pylist()


def test_all_tasks_are_there_and_rollups_are_sums(home: Path) -> None:
    done = release_privately(epsilon=0.5, max_conversations_per_account=2)
    tasks = read(done.folder, "dp_task_usage")
    assert [row["task_id"] for row in tasks] == list(range(1, N_TASKS + 1))
    noisy = {row["task_id"]: row["n_conversations_noisy"] for row in tasks}
    total = sum(noisy.values())
    groups, zones = read(done.folder, "dp_occupation_category_usage"), read(done.folder, "dp_job_zone_usage")
    occupations = read(done.folder, "dp_occupation_usage")
    for rows in (occupations, groups, zones):
        assert sum(row["n_conversations_noisy"] for row in rows) == pytest.approx(total, abs=1e-6)
    expected = {
        code: float(
            sum(
                Fraction(noisy[t], 3 if t % 5 == 0 else 1)
                for t in range(1, N_TASKS + 1)
                for k in range(3 if t % 5 == 0 else 1)
                if (t + 3 * k) % 10 == number
            )
        )
        for number in range(10)
        for code in [f"11-{1000 + number}.00"]
    }
    assert {row["onet_soc_code"]: row["n_conversations_noisy"] for row in occupations} == expected
    assert {row["job_zone"] for row in zones} == {"1", "2", "3", "4", "5", "no_zone"}
    assert {row["n_tasks"] for row in groups} != {0}


def test_negative_counts_stay_and_only_shares_are_clamped(home: Path) -> None:
    done = release_privately(epsilon=0.05, max_conversations_per_account=2)
    rows = read(done.folder, "dp_task_usage")
    assert any(row["n_conversations_noisy"] < 0 for row in rows)
    total = sum(row["n_conversations_noisy"] for row in rows)
    for row in rows:
        expected = min(1.0, max(0.0, row["n_conversations_noisy"] / total)) if total > 0 else None
        assert row["share_of_tasks"] == expected


def test_shares_are_null_when_the_total_is_not_positive() -> None:
    reference = private_tables.Reference(
        [(1, "T")], [(1, "o", 1)], 1, [("o", "O", "11", None)], [("11", "M")], []
    )
    tables = private_tables.build_tables("dp-x", reference, {1: -4}, dp.make_mechanism(1, 1.0), {"a": "b"})
    for name in ("dp_task_usage", "dp_occupation_usage", "dp_occupation_category_usage", "dp_job_zone_usage"):
        assert set(tables[name]["share_of_tasks"].to_pylist()) == {None}
    assert tables["dp_job_zone_usage"]["n_conversations_noisy"].to_pylist() == [-4.0]


def test_a_window_without_any_conversation_is_released_too(home: Path) -> None:
    private = write_private(home / "warehouse" / "private.duckdb", [])
    done = release_privately(epsilon=1.0, max_conversations_per_account=1, private=private)
    assert len(read(done.folder, "dp_task_usage")) == N_TASKS


def test_no_true_count_is_in_the_release(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Noise that is all 1,000,000 too high: whatever still shows a true count has gone round the mechanism.
    true = counts_of(facts(), 10_000)
    shift = 10**6
    monkeypatch.setattr(dp.Mechanism, "release", lambda self, counts: [n + shift for n in counts])
    done = release_privately(epsilon=0.5, max_conversations_per_account=10_000)
    total = sum(true.values())
    for path in (done.folder / "parquet").glob("*.parquet"):
        for column in pq.read_table(path).columns:
            for value in column.to_pylist():
                assert not (isinstance(value, int | float) and value == total), path.name
    for row in read(done.folder, "dp_task_usage"):
        assert row["n_conversations_noisy"] == true[row["task_id"]] + shift
    for table in ("dp_occupation_usage", "dp_occupation_category_usage", "dp_job_zone_usage"):
        assert all(row["n_conversations_noisy"] >= shift / 3 for row in read(done.folder, table))
    printed = json.dumps(done.as_dict())
    assert str(total) not in printed
    ledger_text = (home / "releases" / "dp_ledger" / ledger.LEDGER_NAME).read_text(encoding="utf-8")
    assert f" {total}" not in ledger_text


def test_the_output_depends_on_the_noisy_counts_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dp.Mechanism, "release", lambda self, counts: [7] * len(counts))
    monkeypatch.setattr(private_release.secrets, "token_hex", lambda n: "ab" * n)
    first = release_privately(epsilon=0.5, max_conversations_per_account=2)
    private = write_private(home / "other" / "private.duckdb", facts(900, seed=9), release_id="ffff")
    second = release_privately(
        epsilon=0.5, max_conversations_per_account=2, private=private, accounts=home / "elsewhere"
    )
    for path in sorted(first.folder.rglob("*")):
        if path.suffix in (".csv", ".parquet"):
            assert path.read_bytes() == (second.folder / path.relative_to(first.folder)).read_bytes()


def test_no_private_value_is_in_the_files(home: Path) -> None:
    done = release_privately(epsilon=0.5, max_conversations_per_account=2)
    for path in done.folder.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            assert b"conversation-0" not in raw
            assert b"account-0" not in raw
            assert b"0123456789abcdef" not in raw


def test_files_agree_and_cannot_be_written(home: Path) -> None:
    done = release_privately(epsilon=0.5, max_conversations_per_account=2)
    assert done.folder.parent == home / "releases"
    manifest = json.loads((done.folder / "dp-manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["tables"]) == set(private_tables.KEYS)
    with duckdb.connect(str(done.folder / "release.duckdb"), read_only=True) as connection:
        for name in private_tables.KEYS:
            table = connection.execute(f"select * from marts.{name}").to_arrow_table()
            assert table.to_pylist() == read(done.folder, name)
            lines = (done.folder / "csv" / f"{name}.csv").read_bytes().decode().split("\r\n")
            assert lines[0] == ",".join(table.column_names)
            assert len(lines) == table.num_rows + 2
        described = connection.execute(
            "select count(*) from duckdb_columns() where schema_name = 'marts' and comment is not null"
        ).fetchone()
    assert described is not None
    assert described[0] > 20
    assert all(path.stat().st_mode & 0o222 == 0 for path in (done.folder, *done.folder.rglob("*")))
    items = {row["item"]: row["value"] for row in read(done.folder, "dp_manifest")}
    assert items["epsilon"] == "0.5"
    assert items["max_conversations_per_account"] == "2"
    assert float(items["noise_scale"]) == 4.0
    assert "not finished vetting" in items["opendp_features"]
    accuracy = {row["table_name"]: row for row in read(done.folder, "dp_accuracy")}
    leaf = dp.leaf_error(4.0)
    assert accuracy["dp_task_usage"]["expected_absolute_error_median"] == leaf.expected
    assert accuracy["dp_task_usage"]["error_bound_95_largest"] == leaf.bound_95


def test_the_private_database_is_left_as_it_was(home: Path) -> None:
    private = home / "warehouse" / "private.duckdb"
    before = private.read_bytes()
    release_privately(epsilon=0.5, max_conversations_per_account=2)
    assert private.read_bytes() == before
    assert not list(home.rglob(".dp-spill*"))
    with private_tables.opened(private) as connection, pytest.raises(duckdb.Error, match="read-only"):
        connection.execute("create table private_side.facts.added as select 1 as n")


# The ledger and what is refused


def test_each_release_spends_and_the_limit_holds(home: Path) -> None:
    releases = home / "releases"
    spent = [release_privately(epsilon=0.3, max_conversations_per_account=2).epsilon_spent for _ in range(3)]
    assert spent == [0.3, 0.6, 0.9]
    before = sorted(path.name for path in releases.iterdir())
    with pytest.raises(
        RefusedError, match=r"has spent epsilon 0\.9 of 1, and 0\.3 more would pass the limit"
    ):
        release_privately(epsilon=0.3, max_conversations_per_account=2)
    assert sorted(path.name for path in releases.iterdir()) == before
    # Exactly the rest is allowed: 0.3 + 0.3 + 0.3 + 0.1 is 1 in decimals, and not in floats.
    assert release_privately(epsilon=0.1, max_conversations_per_account=2).epsilon_spent == 1.0
    assert (
        release_privately(epsilon=1.0, max_conversations_per_account=2, max_epsilon=2.0).epsilon_spent == 2.0
    )
    rows = ledger.read_ledger(releases / "dp_ledger")
    assert [(row.family, row.epsilon) for row in rows] == [("dp", e) for e in (0.3, 0.3, 0.3, 0.1, 1.0)]
    assert all(later.previous_hash == earlier.row_hash for earlier, later in pairwise(rows))
    assert dp_ledger_faults(releases) == []


def test_another_output_folder_charges_the_same_ledger(home: Path) -> None:
    done = release_privately(epsilon=0.8, max_conversations_per_account=2, output=home / "handout")
    assert done.folder.parent == home / "handout"
    with pytest.raises(RefusedError, match="would pass the limit"):
        release_privately(epsilon=0.8, max_conversations_per_account=2, output=home / "again")
    with pytest.raises(RefusedError, match="would pass the limit"):
        release_privately(epsilon=0.8, max_conversations_per_account=2)
    assert not list((home / "again").glob("dp-*"))


def test_windows_that_overlap_share_their_epsilon_and_others_do_not(home: Path) -> None:
    release_privately(epsilon=0.8, max_conversations_per_account=2)
    private = home / "warehouse" / "private.duckdb"
    write_private(private, facts(), window_start="2026-01-20T00:00:00Z", window_end="2026-02-20T00:00:00Z")
    with pytest.raises(RefusedError, match="would pass the limit"):
        release_privately(epsilon=0.8, max_conversations_per_account=2)
    write_private(private, facts(), window_start="2026-02-01T00:00:00Z", window_end="2026-03-01T00:00:00Z")
    assert release_privately(epsilon=0.8, max_conversations_per_account=2).epsilon_spent == 0.8
    write_private(private, facts(), window_start="all", window_end="all")
    with pytest.raises(RefusedError, match=r"has spent epsilon 1\.6"):
        release_privately(epsilon=0.8, max_conversations_per_account=2)


def test_a_window_with_exact_tables_is_refused(home: Path) -> None:
    exact_release(home / "releases", WINDOW)
    with pytest.raises(
        RefusedError, match="Exact tables of the window are published as release feedfacefeedface"
    ):
        release_privately(epsilon=0.5, max_conversations_per_account=2)
    assert not list((home / "releases").glob("dp-*"))
    assert not (home / "releases" / "dp_ledger").exists()


def test_exact_tables_in_the_output_folder_are_refused_too(home: Path) -> None:
    exact_release(home / "handout", WINDOW)
    with pytest.raises(RefusedError, match="Exact tables of the window"):
        release_privately(epsilon=0.5, max_conversations_per_account=2, output=home / "handout")


def test_exact_tables_of_another_window_do_not_matter(home: Path) -> None:
    exact_release(home / "releases", ledger.Window("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", "all"))
    assert release_privately(epsilon=0.5, max_conversations_per_account=2).folder.is_dir()


def test_exact_release_of_a_private_window_is_refused(home: Path) -> None:
    done = release_privately(epsilon=0.5, max_conversations_per_account=2)
    releases = home / "releases"
    assert dp_releases_of_window(releases, WINDOW) == [done.release_id]
    with pytest.raises(RefusedError, match=f"released with differential privacy as {done.release_id}"):
        refuse_beside_dp(releases, WINDOW)
    refuse_beside_dp(releases, ledger.Window("2026-02-01T00:00:00Z", "all", "all"))
    refuse_beside_dp(home / "nothing", WINDOW)
    # Two chosen populations that differ are apart; one of everybody overlaps each of them.
    write_private(
        home / "warehouse" / "private.duckdb", facts(), population="chosen:aaaa", window_start="all"
    )
    other = release_privately(epsilon=0.5, max_conversations_per_account=2, accounts=home / "b")
    assert dp_releases_of_window(home / "b", ledger.Window("all", "all", "chosen:bbbb")) == []
    assert dp_releases_of_window(home / "b", ledger.Window("all", "all", "all")) == [other.release_id]


@pytest.mark.parametrize("lost", ["ledger", "folder"])
def test_a_release_counts_although_one_trace_of_it_is_lost(home: Path, lost: str) -> None:
    done = release_privately(epsilon=0.5, max_conversations_per_account=2)
    releases = home / "releases"
    if lost == "ledger":
        (releases / "dp_ledger" / ledger.LEDGER_NAME).unlink()
    else:
        done.folder.rename(home / "taken_away")
    assert dp_releases_of_window(releases, WINDOW) == [done.release_id]
    if lost == "ledger":
        with pytest.raises(RefusedError, match="is not in the dp ledger, so its epsilon is not counted"):
            release_privately(epsilon=0.1, max_conversations_per_account=2)
    else:
        with pytest.raises(RefusedError, match="would pass the limit"):
            release_privately(epsilon=0.6, max_conversations_per_account=2)


def test_a_changed_ledger_or_file_stops_everything(home: Path) -> None:
    done = release_privately(epsilon=0.5, max_conversations_per_account=2)
    releases = home / "releases"
    path = releases / "dp_ledger" / ledger.LEDGER_NAME
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"epsilon": 0.5', '"epsilon": 0.1'), encoding="utf-8")
    assert any("was changed after it was written" in fault for fault in dp_ledger_faults(releases))
    with pytest.raises(RefusedError, match=r"The dp ledger in .* is broken"):
        release_privately(epsilon=0.1, max_conversations_per_account=2)
    with pytest.raises(RefusedError, match=r"The dp ledger in .* is broken"):
        refuse_beside_dp(releases, WINDOW)
    path.write_text(text, encoding="utf-8")
    csv = done.folder / "csv" / "dp_task_usage.csv"
    csv.chmod(0o644)
    csv.write_bytes(csv.read_bytes() + b"x")
    assert dp_ledger_faults(releases) == [
        f"The file csv/dp_task_usage.csv of release {done.release_id} was changed after it was published."
    ]
    with pytest.raises(RefusedError, match="was changed after it was published"):
        release_privately(epsilon=0.1, max_conversations_per_account=2)


def test_a_broken_ledger_of_exact_releases_is_refused(home: Path) -> None:
    exact_release(home / "releases", ledger.Window("2025-01-01", "2025-02-01", "all"))
    path = home / "releases" / ledger.LEDGER_NAME
    path.write_text(path.read_text(encoding="utf-8").replace("2025-01-01", "2025-01-02"), encoding="utf-8")
    with pytest.raises(RefusedError, match=r"The release ledger in .* is broken"):
        refuse_beside_exact(home / "releases", WINDOW)


def test_a_run_killed_before_the_ledger_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(private_release, "scan_files", die)
        with pytest.raises(KeyboardInterrupt):
            release_privately(epsilon=0.5, max_conversations_per_account=2)
    assert not list((home / "releases").glob("*dp-*"))
    # A hard kill leaves the staging folder: it was not charged, so the next run clears it.
    (home / "releases" / ".dp-staging-dp-0123456789abcdef").mkdir()
    assert release_privately(epsilon=0.5, max_conversations_per_account=2).epsilon_spent == 0.5
    assert not list((home / "releases").glob(".dp-staging-*"))


def test_a_run_killed_after_the_ledger_is_finished_by_the_next(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(private_release, "_promote", die)
        with pytest.raises(KeyboardInterrupt):
            release_privately(epsilon=0.5, max_conversations_per_account=2)
    releases = home / "releases"
    assert not list(releases.glob("dp-*"))
    with pytest.raises(RefusedError, match=r"has spent epsilon 0\.5"):
        release_privately(epsilon=0.8, max_conversations_per_account=2)
    (row,) = ledger.read_ledger(releases / "dp_ledger")
    assert [path.name for path in releases.glob("dp-*")] == [row.release_id]
    assert dp_ledger_faults(releases) == []


def test_a_sample_of_fixed_size_is_refused(home: Path) -> None:
    write_private(home / "warehouse" / "private.duckdb", facts(), sample_n="1000")
    with pytest.raises(RefusedError, match="drew a sample of fixed size"):
        release_privately(epsilon=0.5, max_conversations_per_account=2)


def test_surrogate_accounts_are_refused_unless_asked_for(home: Path) -> None:
    write_private(home / "warehouse" / "private.duckdb", facts(), is_test_accounts=True)
    with pytest.raises(RefusedError, match="The accounts are surrogates"):
        release_privately(epsilon=0.5, max_conversations_per_account=2)
    done = release_privately(epsilon=0.5, max_conversations_per_account=2, allow_test_accounts=True)
    items = {row["item"]: row["value"] for row in read(done.folder, "dp_manifest")}
    assert items["is_test_accounts"] == "true"


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan, math.inf])
def test_a_limit_that_is_no_limit_is_refused(home: Path, limit: float) -> None:
    with pytest.raises(UserError, match="limit of epsilon"):
        release_privately(epsilon=0.5, max_conversations_per_account=2, max_epsilon=limit)


def test_a_missing_or_unfinished_private_database_is_one_sentence(home: Path) -> None:
    private = home / "warehouse" / "private.duckdb"
    with duckdb.connect(str(private)) as connection:
        connection.execute("drop table facts.fct_conversations")
    with pytest.raises(UserError, match="lacks tables of a finished build"):
        release_privately(epsilon=0.5, max_conversations_per_account=2)
    private.write_bytes(b"not a database at all" * 400)
    with pytest.raises(UserError, match="cannot be read"):
        release_privately(epsilon=0.5, max_conversations_per_account=2)
    private.unlink()
    with pytest.raises(UserError, match="There is no private database"):
        release_privately(epsilon=0.5, max_conversations_per_account=2)


def test_a_private_database_in_use_is_one_sentence(home: Path) -> None:
    private = home / "warehouse" / "private.duckdb"
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(private)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="another process holds it"):
            release_privately(epsilon=0.5, max_conversations_per_account=2)
        other.communicate("")


def test_no_sentence_holds_a_value_of_a_conversation(home: Path) -> None:
    with duckdb.connect(str(home / "warehouse" / "private.duckdb")) as connection:
        connection.execute("alter table facts.fct_conversations alter task_id type varchar")
        connection.execute(
            "update facts.fct_conversations set task_id = 'a secret of a person' where task_id = '1'"
        )
    with pytest.raises(UserError) as caught:
        release_privately(epsilon=0.5, max_conversations_per_account=2)
    assert "secret" not in str(caught.value)


# The command


def test_json_is_one_document(home: Path) -> None:
    done = run_command("--json")
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert document["epsilon"] == 0.5
    assert document["max_conversations_per_account"] == 2
    assert Path(document["folder"]).is_dir()
    assert {row["table_name"] for row in document["accuracy"]} == set(private_tables.KEYS) - {
        "dp_accuracy",
        "dp_manifest",
    }


def test_people_read_what_was_spent(home: Path) -> None:
    done = run_command("--output", str(home / "handout"))
    assert done.exit_code == 0
    assert "the window has spent 0.5 of 1" in done.stdout
    assert "dp_task_usage" in done.stdout


def test_the_limit_comes_from_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECONOMIC_INDEX_MAX_EPSILON", "0.4")
    done = run_command()
    assert isinstance(done.exception, RefusedError)
    assert "of 0.4" in str(done.exception)
