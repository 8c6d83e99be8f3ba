"""Labelled mass that closing the tables costs: conversations counted in a cell of their own, against thresholds alone.

    python benchmarks/mass_lost.py                              # the build in warehouse/
    python benchmarks/mass_lost.py --conversations 1000000      # synthetic, over what ECONOMIC_INDEX_TAXONOMY names

Thresholds alone show every cell of 15 conversations and 5 accounts, the primary rule alone every cell that is safe by
itself; both leave open what is next to a shown cell. The wall shows fewer. One row a table, in percent of the conversations
that have a label for it; the last column is the cost in points, primary rule minus wall. Reads the private database only.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import duckdb
from bench_sql import EXCLUDED, REFERENCE, dbt
from synthetic import write_facts

from economic_index.paths import private_database

SELECTED = ["path:models/wall", "path:python_models/corrections", "wall_draws", "wall_run"]

# Per table: rows (cell, account, n) of everything that has a label, and the cells that are counted alone.
_FAMILIES = {
    "task x pattern": (
        "select parent || '|' || child as cell, account, n from wall.wall_pattern_cells where child is not null",
        "select task_id || '|' || collaboration_pattern as cell from wall.wall_spine "
        "where block = 'task|' || task_id || '|' || collaboration_pattern",
    ),
    **{
        f"country x {name}": (
            f"select row_key || '|' || column_key as cell, account, n from wall.wall_geography_cells "
            f"where table_name = '{name}'",
            f"select row_key || '|' || column_key as cell from wall.wall_geography_{name}_closure where is_own",
        )
        for name in ("category", "pattern")
    },
}
_MASS = """
    with cells as ({cells}),
    by_account as (select cell, account, sum(n) as n from cells group by all),
    statistics as (
        select cell, sum(n) as n, count(*) as n_accounts, max(n) as n_largest, list_sum(max(n, 2)) as n_two_largest
        from by_account group by cell
    ),
    judged as (
        select s.n, s.n >= 15 and s.n_accounts >= 5 as is_above,
            s.n >= greatest(15, p.min_conversations) and s.n_accounts >= greatest(5, p.min_accounts)
            and s.n_largest <= p.max_share_of_largest_account * s.n
            and s.n - s.n_two_largest >= p.min_conversations_without_two_largest
            and s.n_accounts - 2 >= p.min_accounts_without_two_largest
            and s.n - s.n_two_largest >= p.min_remainder_share_of_largest * s.n_largest as is_safe,
            s.cell in ({shown}) as is_shown
        from statistics as s cross join wall.wall_policy as p
    )
    select sum(n), count(*), count(*) filter (where is_shown), sum(n) filter (where is_above),
        sum(n) filter (where is_safe), sum(n) filter (where is_shown)
    from judged
"""


def mass_of(database: Path) -> list[dict[str, float | str]]:
    """Per table: conversations, cells, cells shown, and percents by thresholds, primary rule and wall."""
    rows: list[dict[str, float | str]] = []
    with duckdb.connect(str(database), read_only=True) as connection:
        for family, (cells, shown) in _FAMILIES.items():
            found = connection.execute(_MASS.format(cells=cells, shown=shown)).fetchone() or (0,) * 6
            total, n_cells, n_shown, above, safe, kept = (float(value or 0) for value in found)
            per = 100 / total if total else 0.0
            rows.append(
                {
                    "table": family,
                    "conversations": total,
                    "cells": n_cells,
                    "shown": n_shown,
                    "thresholds": above * per,
                    "primary": safe * per,
                    "wall": kept * per,
                }
            )
    return rows


def build(n: int, folder: Path) -> Path:
    """The wall over ``n`` synthetic conversations; returns its private database."""
    environment = {
        **os.environ,
        "ECONOMIC_INDEX_WAREHOUSE": str(folder / "warehouse"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    tests = ["--exclude", "resource_type:test", "resource_type:unit_test"]
    dbt(["build", "-s", *REFERENCE, "path:seeds", *tests], environment)
    database = folder / "warehouse" / "private.duckdb"
    write_facts(database, n)
    dbt(["run", "-s", *SELECTED, "--exclude", *EXCLUDED], environment)
    return database


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--conversations", type=int, help="build this many synthetic conversations first")
    parser.add_argument("--database", type=Path, help="a private database; that of the project by default")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = given.database or private_database()
        if given.conversations:
            database = build(given.conversations, Path(folder))
        rows = mass_of(database)
    print("| table | conversations | cells | shown | thresholds % | primary rule % | wall % | lost, points |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['table']} | {row['conversations']:,.0f} | {row['cells']:,.0f} | {row['shown']:,.0f} "
            f"| {row['thresholds']:.2f} | {row['primary']:.2f} | {row['wall']:.2f} "
            f"| {float(row['primary']) - float(row['wall']):.2f} |"
        )


if __name__ == "__main__":
    main()
