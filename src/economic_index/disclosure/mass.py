"""Labelled mass that closing the tables costs: conversations counted in a cell of their own, against thresholds alone.

Thresholds alone show every cell of 15 conversations and 5 accounts, the primary rule alone every cell that is safe by
itself; both leave open what is next to a shown cell. The wall shows fewer. Reads the private database only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

# Per table: rows (cell, account, n) of everything that has a label, and the cells that are counted alone.
_FAMILIES = {
    "task x pattern": (
        "select parent || '|' || child as cell, account, n from wall.wall_pattern_cells where child is not null",
        "select task_id || '|' || collaboration_pattern as cell from wall.wall_spine where block = "
        "'task|' || task_id || '|' || collaboration_pattern",
    ),
    **{
        f"country x {name}": (
            "select row_key || '|' || column_key as cell, account, n from wall.wall_geography_cells where "
            f"table_name = '{name}'",
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


@dataclass(frozen=True)
class Mass:
    """One table.

    Attributes:
        table: for people.
        n_conversations: that have a label for the table.
        n_cells, n_shown: cells that occur, and those counted alone.
        thresholds, primary, wall: percent of the conversations in cells shown by 15 and 5 alone, by the primary rule, by
            the wall.
    """

    table: str
    n_conversations: int
    n_cells: int
    n_shown: int
    thresholds: float
    primary: float
    wall: float

    @property
    def lost(self) -> float:
        """Points lost against thresholds alone."""
        return self.thresholds - self.wall


def mass_of(database: Path) -> list[Mass]:
    """Mass of the tables that the wall closes; a table that the build does not have is left out."""
    rows = []
    with duckdb.connect(config={"threads": 2}) as connection:
        quoted = str(database).replace("'", "''")
        connection.execute(f"attach '{quoted}' as private_side (read_only)")
        connection.execute("use private_side")
        connection.execute("set enable_progress_bar = false")
        for table, (cells, shown) in _FAMILIES.items():
            try:
                found = connection.execute(_MASS.format(cells=cells, shown=shown)).fetchone() or (0,) * 6
            except (duckdb.CatalogException, duckdb.BinderException):
                continue
            total, n_cells, n_shown, above, safe, kept = (int(value or 0) for value in found)
            per = 100 / total if total else 0.0
            rows.append(Mass(table, total, n_cells, n_shown, above * per, safe * per, kept * per))
    return rows
