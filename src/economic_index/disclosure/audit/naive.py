"""The yardstick: what the same attacker recovers from naive suppression (15 conversations, 5 accounts) of
the same data.

Naive means what published systems do: every cell at or above the thresholds is shown exactly, every other
one is left out,
and totals are counted from all facts. This is the only part of the auditor that reads conversations; it
never runs in a publication and writes nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from economic_index.disclosure.audit.reference import ReferenceFolders, load_reference
from economic_index.errors import UserError


@dataclass(frozen=True)
class NaiveFamily:
    """What is recovered from one table with its totals.

    Attributes:
        n_withheld: withheld cells that are not empty.
        n_exact: their count follows from subtraction alone.
        n_narrow: known within less than 10 (exact ones included).
        n_proven_present: known not to be empty.
    """

    n_withheld: int
    n_exact: int
    n_narrow: int
    n_proven_present: int


# Each row of a table is shown with its exact total when it passes the thresholds; a hidden cell is then
# between 0 and what
# the row hides, and equal to it where it is the only one hidden.
_TABLE = """
    with accounts as (
        select {row} as r, {column} as c, account, count(*) as n from facts where {column} is not null group
        by all
    ),
    cells as (select r, c, sum(n) as n, count(*) as a from accounts group by all),
    by_row as (select r, account, sum(n) as n from accounts group by all),
    rows_shown as (select r, sum(n) as n from by_row group by r having sum(n) >= 15 and count(*) >= 5),
    hidden as (
        select s.r, s.n - coalesce(sum(c.n) filter (where c.n >= 15 and c.a >= 5), 0) as mass,
            {n_columns} - count(*) filter (where c.n >= 15 and c.a >= 5) as n_possible
        from rows_shown as s inner join cells as c on s.r = c.r group by s.r, s.n
    )
    select
        count(*),
        count(*) filter (where h.n_possible = 1),
        count(*) filter (where h.n_possible = 1 or h.mass < 10),
        count(*) filter (where h.n_possible = 1)
    from cells as c inner join hidden as h on c.r = h.r
    where not (c.n >= 15 and c.a >= 5)
"""
# Occupations are counted from all facts: what is left without their listed tasks is a group of withheld
# tasks.
_OCCUPATIONS = """
    with accounts as (select task_id, account, count(*) as n from facts where task_id is not null group by
    all),
    tasks as (select task_id, sum(n) as n, count(*) >= 5 and sum(n) >= 15 as is_shown from accounts group by
    task_id),
    left_over as (
        select h.onet_soc_code, sum(t.n) as n, count(*) as n_tasks
        from ref_holders as h inner join tasks as t on h.task_id = t.task_id
        where h.n_holders = 1 and not t.is_shown group by 1
    ),
    possible as (
        select h.onet_soc_code, count(*) as n_possible from ref_holders as h
        left join tasks as t on h.task_id = t.task_id
        where h.n_holders = 1 and not coalesce(t.is_shown, false) group by 1
    )
    select
        count(*),
        count(*) filter (where l.n < 15),
        count(*) filter (where l.n < 15),
        count(*)
    from left_over as l inner join possible as p on l.onet_soc_code = p.onet_soc_code
"""


def naive_figures(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    """Recover what naive suppression leaves open.

    Args:
        connection: with ``facts`` (account, task_id, collaboration_pattern, soc_major_code, model) of
            classified conversations and ``ref_holders``.

    Returns:
        per family the numbers of ``NaiveFamily``. ``task`` counts groups: the withheld tasks of one
        occupation together,
        exact where fewer than 15 conversations are left over.
    """
    n_models = int((connection.execute("select count(distinct model) from facts").fetchone() or (0,))[0])
    queries = {
        "task x pattern": _TABLE.format(row="task_id", column="collaboration_pattern", n_columns=6),
        "task x model": _TABLE.format(row="task_id", column="model", n_columns=max(n_models, 1)),
        "SOC group x pattern": _TABLE.format(
            row="soc_major_code", column="collaboration_pattern", n_columns=6
        ),
        "task": _OCCUPATIONS,
    }
    figures = {}
    for family, sql in queries.items():
        row = connection.execute(sql).fetchone() or (0, 0, 0, 0)
        figures[family] = asdict(NaiveFamily(*(int(value or 0) for value in row)))
    return figures


def naive_of_private(private: Path, folders: ReferenceFolders | None = None) -> dict[str, dict[str, int]]:
    """``naive_figures`` of the conversations in a private database.

    Raises:
        UserError: the database is missing or holds no facts.
    """
    if not private.is_file():
        raise UserError(
            f"There is no private database at {private}; the comparison needs the conversations of a build."
        )
    connection = duckdb.connect(config={"threads": 2})
    try:
        connection.execute("set enable_progress_bar = false")
        load_reference(connection, folders or ReferenceFolders.of_project())
        quoted = str(private).replace("'", "''")
        connection.execute(f"attach '{quoted}' as private_side (read_only)")
        connection.execute(
            """
            create view facts as
            select coalesce(f.account_key, '') as account, f.task_id, f.collaboration_pattern, f.model,
            r.soc_major_code
            from private_side.facts.fct_conversations as f inner join ref_tasks as r on f.task_id = r.task_id
            where f.outcome = 'classified'
            """
        )
        return naive_figures(connection)
    except duckdb.CatalogException as error:
        raise UserError(f"The private database {private} holds no facts; run dbt build first.") from error
    finally:
        connection.close()
