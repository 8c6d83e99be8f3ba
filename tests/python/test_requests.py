"""Reconstruction from clusters and design effects: the statistics, and that nothing small leaves."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.stats import kendalltau, spearmanr

from economic_index.requests.agreement import agreement, shares
from economic_index.requests.design_effects import CLASSES, design_effect_table, design_effects, to_class
from economic_index.requests.reconstruction import (
    Allocation,
    Labelled,
    all_scores,
    assign,
    cluster,
    reconstruction_table,
    roll_up,
    safe_counts,
    scores,
    several_tasks_table,
)


def world(n_tasks: int = 24, per_task: int = 60, seed: int = 3) -> tuple[Labelled, Allocation]:
    """Tasks in the corners of a space, conversations around them, task t with a share that grows with t."""
    generator = np.random.default_rng(seed)
    vectors = np.eye(n_tasks, 32, dtype=np.float32)
    tasks = np.repeat(np.arange(n_tasks), per_task + 4 * np.arange(n_tasks))
    noise = generator.normal(0, 0.05, (len(tasks), 32))
    conversations = (vectors[tasks] + noise).astype(np.float32)
    pairs = np.arange(n_tasks)
    allocation = Allocation(pairs, pairs // 2, pairs // 2, np.ones(n_tasks), vectors)
    return Labelled(np.arange(len(tasks)) % 97, tasks, conversations), allocation


def test_clusters_of_clear_requests_reconstruct_the_tasks() -> None:
    labelled, allocation = world()
    found = {(level, size, how): result for level, size, how, result in scores(labelled, allocation)}
    for how in ("nearest", "majority"):
        result = found["task", 15, how]
        assert result.pearson is not None and result.pearson > 0.95
        assert result.n_direct == result.n_both == 24
    assert found["occupation", 15, "nearest"].n_direct == 12


def test_random_labels_are_not_reconstructed() -> None:
    labelled, allocation = world(per_task=60)
    shuffled = np.random.default_rng(1).permutation(labelled.tasks)
    mixed = Labelled(labelled.accounts, shuffled, labelled.vectors)
    clusters = cluster(mixed.vectors, 15)
    nearest = assign(clusters, mixed, allocation, "nearest")
    assert np.mean(nearest == shuffled) < 0.2, "nearest must not look at direct labels"


def test_the_floors_hold_on_both_sides() -> None:
    tasks = np.repeat([0, 1, 2], [14, 15, 40])
    accounts = np.concatenate([np.arange(14), np.arange(15) % 5, np.arange(40) % 4])
    assert safe_counts(tasks, accounts, 3).tolist() == [0, 15, 0]


def test_roll_up_keeps_the_mass() -> None:
    allocation = Allocation(
        np.array([0, 0, 1]),
        np.array([0, 1, 1]),
        np.array([0, 0, 0]),
        np.array([0.5, 0.5, 1.0]),
        np.eye(2, dtype=np.float32),
    )
    counts = np.array([30.0, 20.0])
    assert roll_up(counts, allocation, "occupation").tolist() == [15.0, 35.0]
    assert roll_up(counts, allocation, "soc_major_group").tolist() == [50.0]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=10, max_size=40))
@settings(max_examples=60, deadline=None)
def test_agreement_is_that_of_scipy_over_units_seen_by_either(pairs: list[tuple[int, int]]) -> None:
    x, y = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    result = agreement(x, y)
    seen = (x > 0) | (y > 0)
    assert result.n_direct == (x > 0).sum() and result.n_both == ((x > 0) & (y > 0)).sum()
    if seen.sum() < 10 or not x.sum() or not y.sum():
        assert result.spearman is None and result.mean_squared_error is None
        return
    first, second = shares(x)[seen], shares(y)[seen]
    if np.ptp(first) and np.ptp(second):
        assert result.spearman == pytest.approx(spearmanr(first, second).statistic)
        assert result.kendall == pytest.approx(kendalltau(first, second).statistic)
    assert result.mean_squared_error == pytest.approx(np.mean((100 * (first - second)) ** 2))


def test_the_table_from_relations_and_too_little_data() -> None:
    connection = duckdb.connect()
    n, k = 1200, 12
    connection.execute(f"""
        create table conversations as select 'c' || i as conversation_id,
            [{{'role': 'user', 'content': 'request about topic ' || (i % {k})}}] as messages from
            range({n}) as t(i);
        create table facts as select 'c' || i as conversation_id, 'a' || (i % 50) as account_key, i % {k}
        as task_id,
            case when i % 7 = 0 then 'none' else 'classified' end as outcome from range({n}) as t(i);
        create table tasks as select i as task_id, 'request about topic ' || i as task from range({k}) as
        t(i); create table held as select i as task_id, 'o' || i as onet_soc_code, 'g' || (i % 11) as
        soc_major_code,
            1 as n_holders from range({k}) as t(i);
    """)

    def encode(texts: list[str]) -> np.ndarray:
        return np.stack([np.eye(k, dtype=np.float32)[int(text.split()[-1])] for text in texts])

    relations = [connection.table(name) for name in ("conversations", "facts", "tasks", "held")]
    table = reconstruction_table(*relations, encode=encode)
    rows = {(r["level"], r["mean_cluster_size"], r["assignment"]): r for r in table.to_pylist()}
    assert rows["task", 60, "nearest"]["n_units_both"] == 12
    assert rows["task", 60, "nearest"]["mean_squared_error"] == pytest.approx(0, abs=0.01)
    assert all(
        r["correlation_pearson"] in (None, round(r["correlation_pearson"] or 0, 2)) for r in rows.values()
    )
    few = [relations[0], connection.sql("from facts limit 20"), *relations[2:]]
    assert reconstruction_table(*few, encode=encode).num_rows == 0


def relations_with_further_tasks(
    further: str, accounts: int = 50
) -> tuple[duckdb.DuckDBPyRelation, duckdb.DuckDBPyRelation, duckdb.DuckDBPyRelation]:
    """Facts with task i % 12 (task t has more the larger t is), further tasks by SQL, one task a SOC group."""
    connection = duckdb.connect()
    connection.execute(f"""
        create table facts as select row_number() over () as input_row, 'a' || (i % {accounts}) as account_key,
            t as task_id, 'classified' as outcome from range(12) as k(t), range(20 + 5 * t) as n(i);
        insert into facts select 100000 + i, 'z' || i, 3, 'none' from range(400) as n(i);
        create table labels as select input_row, 'task' as facet, cast(task_id as varchar) as option_id
            from facts;
        insert into labels select input_row, 'further_task', cast({further} as varchar) from facts;
        delete from labels where option_id is null;
        create table held as select t as task_id, 'o' || t as onet_soc_code, 'g' || t as soc_major_code,
            1 as n_holders from range(12) as k(t);
    """)
    return connection.table("facts"), connection.table("labels"), connection.table("held")


def test_without_further_tasks_both_ways_of_counting_are_one() -> None:
    (row,) = several_tasks_table(*relations_with_further_tasks("null")).to_pylist()
    assert (row["level"], row["mean_cluster_size"], row["assignment"]) == (
        "soc_major_group",
        1,
        "several_tasks",
    )
    assert row["n_units_direct"] == row["n_units_clusters"] == row["n_units_both"] == 12
    measures = [row[f"correlation_{name}"] for name in ("pearson", "spearman", "kendall")]
    assert measures == [1, 1, 1] and row["mean_squared_error"] == 0


def test_further_tasks_weigh_one_over_k() -> None:
    """Every conversation of task 11 (75 of them) also has task 0: 20 + 37.5 of 570, and 37.5 instead of 75."""
    facts, labels, held = relations_with_further_tasks("case when task_id = 11 then 0 end")
    (row,) = several_tasks_table(facts, labels, held).to_pylist()
    sizes = np.array([20 + 5 * t for t in range(12)], dtype=float)
    moved = sizes.copy()
    moved[0], moved[11] = 20 + 37.5, 37.5
    expected = agreement(sizes, moved)
    assert expected.pearson is not None and expected.spearman is not None and expected.kendall is not None
    assert row["correlation_pearson"] == round(expected.pearson, 2) < 0.9
    assert row["correlation_spearman"] == round(expected.spearman, 2)
    assert row["correlation_kendall"] == round(expected.kendall, 2)
    assert row["mean_squared_error"] == pytest.approx(expected.mean_squared_error, abs=1e-4)


def test_a_further_task_below_the_floors_does_not_count() -> None:
    facts, labels, held = relations_with_further_tasks(
        "case when task_id = 11 and account_key in ('a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6') then 99 end"
    )
    more = held.union(held.filter("task_id = 0").project("99, 'o99', 'g99', 1"))
    (row,) = several_tasks_table(facts, labels, more).to_pylist()
    assert row["n_units_clusters"] == 12, (
        "14 conversations of 7 accounts are too few for the thirteenth group"
    )
    few_accounts, labels, held = relations_with_further_tasks("null", accounts=4)
    (row,) = several_tasks_table(few_accounts, labels, held).to_pylist()
    assert row["n_units_direct"] == 0 and row["correlation_pearson"] is None


def test_the_comparison_stands_below_the_clusters_and_alone_where_data_are_few() -> None:
    facts, labels, held = relations_with_further_tasks("null")
    connection = duckdb.connect()
    connection.execute(
        "create table talks (conversation_id varchar, messages struct(role varchar, content varchar)[]);"
        "create table facts as select 1 as input_row, 'c' as conversation_id, 'a' as account_key, 1 as task_id, "
        "'classified' as outcome; create table tasks as select 1 as task_id, 'Bake.' as task;"
        "create table labels (input_row bigint, facet varchar, option_id varchar);"
        "create table held as select 1 as task_id, 'o' as onet_soc_code, 'g' as soc_major_code, 1 as n_holders;"
    )
    names = ("talks", "facts", "tasks", "held", "labels")
    table = all_scores(*(connection.table(name) for name in names))
    (row,) = table.to_pylist()
    assert row["assignment"] == "several_tasks" and row["correlation_spearman"] is None
    assert several_tasks_table(facts, labels, held).schema.equals(table.schema)


def test_design_effect_of_one_conversation_an_account_is_about_one() -> None:
    generator = np.random.default_rng(0)
    cells = generator.integers(0, 4, 4000)
    counts = csr_matrix((np.ones(4000), (np.arange(4000), cells)), shape=(4000, 4))
    assert np.all(np.abs(design_effects(counts) - 1) < 0.35)


def test_design_effect_of_accounts_that_do_one_thing_is_their_size() -> None:
    cells = np.random.default_rng(0).integers(0, 4, 400)
    counts = csr_matrix((np.full(400, 8.0), (np.arange(400), cells)), shape=(400, 4))
    assert np.all((design_effects(counts) > 5) & (design_effects(counts) < 12))


def test_classes_round_up_and_end_at_five() -> None:
    assert [to_class(x) for x in (0.2, 1.0, 1.01, 1.5, 1.7, 2.5, 4.0, 90.0)] == [1, 1, 1.5, 1.5, 2, 3, 5, 5]
    assert to_class(1.0) in CLASSES


def test_design_effects_look_at_published_tasks_only_and_are_reproducible() -> None:
    connection = duckdb.connect()
    connection.execute("""
        create table facts as select 'a' || (i % 30) as account_key, i % 3 as task_id, 'directive' as
        collaboration_pattern,
            'classified' as outcome from range(600) as t(i);
        create table published as select i as task_id, case i when 2 then 'withheld' else 'published' end
        as status
            from range(3) as t(i);
        create table held as select i as task_id, 'o' || i as onet_soc_code, '1' || i as soc_major_code, 1
        as n_holders
            from range(3) as t(i);
    """)
    tables = [
        design_effect_table(*(connection.table(name) for name in ("facts", "published", "held")))
        for _ in range(2)
    ]
    assert tables[0].equals(tables[1])
    units = {(row["family"], row["unit"]) for row in tables[0].to_pylist()}
    assert ("task", "0") in units and ("task", "2") not in units and ("occupation", "o2") not in units
    assert set(tables[0]["design_effect_class"].to_pylist()) <= set(CLASSES)
