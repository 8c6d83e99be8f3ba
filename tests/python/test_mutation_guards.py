"""Cases that the mutation suite asked for: a mistake in the wall's SQL that no other test saw shows here."""

from __future__ import annotations

from collections import Counter

import duckdb
import pyarrow as pa
from macro_sql import macro

from economic_index.disclosure.audit.system import Solver, System

POLICY = """
    create table policy as select 15 as min_conversations, 5 as min_accounts,
    0.5 as max_share_of_largest_account, 10 as min_conversations_without_two_largest,
    3 as min_accounts_without_two_largest, 0.1 as min_remainder_share_of_largest
"""
# Hidden counts of a table of five rows. Every row and column hides a safe block, and every hidden cell could be empty, but
# rows a and b hide 5 of column j between them, whatever happens elsewhere: the cell (a, j) is known within 5.
HIDDEN = {
    ("a", "j"): 2, ("a", "k"): 10, ("a", "l"): 10,
    ("b", "j"): 3, ("b", "k"): 10, ("b", "l"): 10,
    ("c", "k"): 20, ("c", "l"): 20,
    ("d", "j"): 20, ("d", "m"): 20,
    ("e", "j"): 20, ("e", "m"): 20,
}  # fmt: skip


def table_cells() -> pa.Table:
    """Cells with their accounts: hidden ones are small or have one heavy account, all others are safe."""
    rows = []
    for row in "abcde":
        for column in "jklm":
            n = HIDDEN.get((row, column), 0)
            accounts: Counter[str] = Counter(f"{row}{column}{i}" for i in range(n or 50))
            if n == 20:
                accounts = Counter({f"{row}{column}0": 11, **{f"{row}{column}{i}": 1 for i in range(1, 10)}})
            rows += [
                {"table_name": "t", "row_key": row, "column_key": column, "account": account, "n": count}
                for account, count in accounts.items()
            ]
    return pa.Table.from_pylist(rows)


def bounds(hidden: dict[tuple[str, str], int]) -> dict[tuple[str, str], tuple[float, float]]:
    """Least and greatest value of every hidden cell for who knows all rows and columns exactly."""
    system = System()
    unknowns = {cell: system.unknown("|".join(cell)) for cell in hidden}
    for side in (0, 1):
        for line in {cell[side] for cell in hidden}:
            inside = [cell for cell in hidden if cell[side] == line]
            total = float(sum(hidden[cell] for cell in inside))
            system.row([unknowns[cell] for cell in inside], total, total)
    solver = Solver(system)
    found = {}
    for cell, unknown in unknowns.items():
        low, high = solver.minimise([unknown]), solver.minimise([unknown], -1.0)
        assert low is not None and high is not None
        found[cell] = (round(float(low[unknown]), 6), round(float(high[unknown]), 6))
    return found


def test_a_hidden_cell_is_never_known_within_ten() -> None:
    start = bounds(HIDDEN)
    assert start[("a", "j")] == (0, 5) and all(low == 0 for low, _ in start.values())
    connection = duckdb.connect()
    connection.execute(POLICY)
    connection.register("table_cells", table_cells())
    sql = macro("close_table", "table_cells", "policy", n_columns="4")
    closed = connection.execute(f"select row_key, column_key, is_own from ({sql}) as closed").fetchall()
    counts = connection.execute("select row_key, column_key, sum(n) from table_cells group by all").fetchall()
    sizes = {(row, column): int(n) for row, column, n in counts}
    hidden = {(row, column): sizes[(row, column)] for row, column, is_own in closed if not is_own}
    assert len(closed) == 20 and set(HIDDEN) <= set(hidden)
    for low, high in bounds(hidden).values():
        assert low == 0 and high >= 10
