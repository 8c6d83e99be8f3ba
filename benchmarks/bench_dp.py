"""Accuracy of the differential-privacy mode on synthetic popularity: python benchmarks/bench_dp.py [--json].

A made-up taxonomy of O*NET's size stands under the synthetic conversations of ``synthetic.py``: what the
error of a count is depends on how many tasks there are and how heavy their tail is, not on what they say.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from synthetic import FACTS_SQL

from economic_index.disclosure.differential_privacy import bounded_counts, leaf_error, make_mechanism
from economic_index.release.private_tables import (
    GROUPS,
    OCCUPATIONS,
    TASKS,
    ZONES,
    Reference,
    build_tables,
    opened,
    read_reference,
)

SETTINGS = ((1, 1.0), (3, 1.0), (3, 0.5), (10, 1.0), (10, 0.1))
KEY = b"the same bounding key in each run"
# 974 occupations in 22 groups; one task in 68 is held by three of them, as in O*NET 20.1 (272 of 18,428
# shared).
REFERENCE_SQL = """
create schema reference;
create table reference.tasks as select 1000 + i as task_id, 'Made-up task ' || i as task from range({tasks})
as t(i); create table reference.skills as select 'skill' as skill;
create table reference.occupations as
    select printf('%02d-%04d.00', 11 + i % 22, i) as onet_soc_code, 'Made-up occupation ' || i as title,
        cast(11 + i % 22 as varchar) as soc_major_code, 1 + i % 5 as job_zone, i
    from range(974) as t(i);
create table reference.task_allocation as
    select task_id, onet_soc_code,
        cast(case when task_id % 68 = 0 then 1 else 3 end as hugeint) as weight_numerator, 3::hugeint as
        weight_denominator
    from reference.tasks
    inner join range(3) as u(k) on k = 0 or task_id % 68 = 0
    inner join reference.occupations as o on o.i = (task_id + 311 * k) % 974;
create table reference.soc_major_groups as
    select distinct soc_major_code, 'Made-up group ' || soc_major_code as title from reference.occupations;
create table reference.job_zones as select i as job_zone, 'Zone ' || i as name from range(1, 6) as t(i);
"""


def write_database(path: Path, n: int, tasks: int) -> None:
    """``n`` synthetic conversations over ``tasks`` made-up tasks."""
    only_facts = FACTS_SQL.split("create or replace table facts.fct_conversation_labels")[0]
    with duckdb.connect(str(path)) as connection:
        connection.execute(REFERENCE_SQL.format(tasks=tasks))
        connection.execute(only_facts.format(n=n, seed=7))


def measure(
    reference: Reference, bounded: np.ndarray, true: np.ndarray, limit: int, epsilon: float, draws: int
) -> dict[str, Any]:
    """Errors over all tasks and draws: of counts against bounded ones, of shares against those of all."""
    mechanism = make_mechanism(limit, epsilon)
    listed = [int(value) for value in bounded]
    started = time.perf_counter()
    noisy = np.array([mechanism.release(listed) for _ in range(draws)])
    seconds = (time.perf_counter() - started) / draws
    error = np.abs(noisy - bounded)
    relative = {
        f"relative_error_n_{floor}": float(np.median((error / np.maximum(bounded, 1))[:, bounded >= floor]))
        for floor in (100, 15)
    }
    share = np.clip(noisy / noisy.sum(axis=1, keepdims=True), 0, 1)
    # Unused tasks are in no column of the table; the guard only keeps the division quiet.
    truth = np.maximum(true, 1) / true.sum()
    of_share = {
        f"relative_error_of_share_n_{floor}": float(np.median(np.abs(share / truth - 1)[:, true >= floor]))
        for floor in (100, 15)
    }
    ids = [task_id for task_id, _ in reference.tasks]
    tables = build_tables(
        "dp-bench", reference, dict(zip(ids, noisy[0].tolist(), strict=True)), mechanism, {}
    )
    exact = build_tables("dp-bench", reference, dict(zip(ids, listed, strict=True)), mechanism, {})
    units = {}
    for name in (OCCUPATIONS, GROUPS, ZONES):
        drawn, bare = (np.array(t[name]["n_conversations_noisy"].to_pylist()) for t in (tables, exact))
        units[name] = {
            "median_absolute_error": float(np.median(np.abs(drawn - bare))),
            "median_relative_error": float(
                np.median((np.abs(drawn - bare) / np.maximum(bare, 1))[bare >= 15])
            ),
            "within_stated_bound": float(
                np.mean(np.abs(drawn - bare) <= np.array(tables[name]["error_bound_95"].to_pylist()))
            ),
        }
    return {
        "max_conversations_per_account": limit,
        "epsilon": epsilon,
        "noise_scale": mechanism.scale,
        "share_of_conversations_kept": float(bounded.sum() / true.sum()),
        "median_absolute_error": float(np.median(error)),
        "p95_absolute_error": float(np.quantile(error, 0.95)),
        "stated_expected_error": leaf_error(mechanism.scale).expected,
        "stated_bound_95": leaf_error(mechanism.scale).bound_95,
        **relative,
        **of_share,
        "units": units,
        "seconds_per_draw": seconds,
    }


def run(n: int, tasks: int, draws: int) -> dict[str, Any]:
    """All settings on one synthetic input."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "private.duckdb"
        write_database(database, n, tasks)
        rows = []
        with opened(database) as connection:
            reference = read_reference(connection)
            ids = [task_id for task_id, _ in reference.tasks]
            everything = bounded_counts(connection, n, KEY)
            true = np.array([everything[task] for task in ids])
            for limit, epsilon in SETTINGS:
                started = time.perf_counter()
                counts = bounded_counts(connection, limit, KEY)
                seconds = time.perf_counter() - started
                bounded = np.array([counts[task] for task in ids])
                rows.append(
                    {**measure(reference, bounded, true, limit, epsilon, draws), "seconds_to_bound": seconds}
                )
    return {
        "n_conversations": n,
        "n_classified": int(true.sum()),
        "n_tasks": tasks,
        "n_tasks_of_15_and_more": int((true >= 15).sum()),
        "n_draws": draws,
        "table": TASKS,
        "rows": rows,
    }


def percent(share: float) -> str:
    """Percent with as many digits as a reader needs."""
    value = 100 * share
    return f"{value:.{2 if value < 1 else 1 if value < 10 else 0}f} %"


def markdown(result: dict[str, Any]) -> str:
    """The table of docs/differential_privacy.md."""
    lines = [
        f"{result['n_conversations']:,} synthetic conversations ({result['n_classified']:,} classified), "
        f"{result['n_tasks']:,} tasks, {result['n_tasks_of_15_and_more']:,} of them with 15 and more; "
        f"{result['n_draws']} draws.",
        "",
        "| C, epsilon | kept | median abs. error | 95 % abs. error | rel. error n >= 100 | n >= 15 "
        "| share, n >= 100 | share, n >= 15 | occupations | SOC groups |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in result["rows"]:
        units = [percent(row["units"][name]["median_relative_error"]) for name in (OCCUPATIONS, GROUPS)]
        percents = [
            percent(row[name])
            for name in (
                "relative_error_n_100",
                "relative_error_n_15",
                "relative_error_of_share_n_100",
                "relative_error_of_share_n_15",
            )
        ]
        cells = [
            f"{row['max_conversations_per_account']}, {row['epsilon']:g}",
            f"{100 * row['share_of_conversations_kept']:.0f} %",
            f"{row['median_absolute_error']:.0f}",
            f"{row['p95_absolute_error']:.0f}",
            *percents,
            *units,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    bound = max(row["seconds_to_bound"] for row in result["rows"])
    draw = max(row["seconds_per_draw"] for row in result["rows"])
    lines += ["", f"Slowest bounding {bound:.1f} s, slowest draw {draw:.2f} s."]
    return "\n".join(lines)


def main() -> None:
    """Print the table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=1_000_000)
    parser.add_argument("--tasks", type=int, default=18_428, help="distinct tasks; 18,428 in O*NET 20.1")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result = run(given.conversations, given.tasks, given.draws)
    print(json.dumps(result) if given.json else markdown(result))


if __name__ == "__main__":
    main()
