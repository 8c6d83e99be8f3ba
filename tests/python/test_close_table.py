"""Two-way tables: no hidden cell can be proven or narrowed by who knows every margin exactly.

The SQL of the wall closes random tables. What it leaves open is then judged by going through every table with the same
margins (small ones), and by the auditor's linear programs, without any rounding in between (larger ones).
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from functools import cache

import duckdb
import pyarrow as pa
import pytest
from macro_sql import macro

from economic_index.disclosure.audit.system import Solver, System

Cell = tuple[str, str]
Accounts = Counter[str]
Table = dict[Cell, Accounts]
POLICY = """
    create or replace table policy as select 15 as min_conversations, 5 as min_accounts,
    0.5 as max_share_of_largest_account, 10 as min_conversations_without_two_largest,
    3 as min_accounts_without_two_largest, 0.1 as min_remainder_share_of_largest
"""


def is_safe(accounts: Accounts) -> bool:
    sizes = sorted(accounts.values(), reverse=True)
    n, left = sum(sizes), sum(sizes[2:])
    return bool(
        n >= 15
        and len(sizes) >= 5
        and sizes[0] <= 0.5 * n
        and left >= 10
        and len(sizes) - 2 >= 3
        and left >= 0.1 * sizes[0]
    )


@cache
def statement(n_passes: int) -> str:
    sql = macro("close_table", "table_cells", "policy", n_columns="99", n_passes=n_passes)
    return f"select table_name, row_key, column_key, is_own from ({sql}) as closed"


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    opened = duckdb.connect()
    opened.execute("set threads = 1")
    opened.execute(POLICY)
    yield opened
    opened.close()


def all_shown(
    connection: duckdb.DuckDBPyConnection, tables: list[Table], n_passes: int = 8
) -> list[set[Cell]]:
    """Per table the cells that the wall counts alone; one run for all of them."""
    connection.register(
        "table_cells",
        pa.Table.from_pylist(
            [
                {"table_name": f"t{place}", "row_key": r, "column_key": c, "account": account, "n": n}
                for place, table in enumerate(tables)
                for (r, c), accounts in table.items()
                for account, n in accounts.items()
            ]
        ),
    )
    shown: list[set[Cell]] = [set() for _ in tables]
    for name, r, c, is_own in connection.execute(statement(n_passes)).fetchall():
        if is_own:
            shown[int(name[1:])].add((r, c))
    return shown


def random_table(draw: random.Random, n_rows: int, n_columns: int, large: int) -> Table:
    """Rows and columns of several sizes; all margins are safe, as the wall has thresholded them before."""
    while True:
        sizes = [draw.choice((6, 12, 20, large)) for _ in range(n_columns)]
        table: Table = {}
        for r, c in itertools.product(range(n_rows), range(n_columns)):
            n = draw.randint(0, round(sizes[c] * draw.choice((0.5, 1, 1, 2))))
            accounts: Accounts = Counter(f"{r}-{draw.randrange(max(8, n * 2))}" for _ in range(n))
            if n > 12 and draw.random() < 0.1:
                accounts[f"{r}-heavy"] += n
            if accounts:
                table[(f"r{r}", f"c{c}")] = accounts
        lines = [sum((table[cell] for cell in table if cell[axis] == key), Counter())
                 for axis in (0, 1) for key in {cell[axis] for cell in table}]  # fmt: skip
        if table and all(is_safe(line) for line in lines):
            return table


def counts(table: Table) -> dict[Cell, int]:
    rows, columns = ({cell[axis] for cell in table} for axis in (0, 1))
    return {cell: sum(table.get(cell, Counter()).values()) for cell in itertools.product(rows, columns)}


def hidden_lines(table: Table, shown: set[Cell]) -> Iterator[tuple[set[Cell], Accounts]]:
    """Hidden cells of each row and column that hides anything."""
    for axis in (0, 1):
        for key in sorted({cell[axis] for cell in table}):
            hidden = {cell for cell in counts(table) if cell[axis] == key and cell not in shown}
            accounts: Accounts = sum((table.get(cell, Counter()) for cell in hidden), Counter())
            if accounts:
                yield hidden, accounts


def assert_lines_are_safe(table: Table, shown: set[Cell]) -> None:
    assert all(is_safe(table[cell]) for cell in shown)
    for hidden, accounts in hidden_lines(table, shown):
        assert is_safe(accounts) and len(hidden) >= 2


def assert_bounds(low: int, high: int, truth: int) -> None:
    """A cell that is there may be absent, and every cell spans 10; one that must be empty says nothing of anybody."""
    assert low <= truth <= high
    assert low == 0
    assert high == 0 or high >= 10


def worlds(counted: dict[Cell, int], shown: set[Cell]) -> Iterator[dict[Cell, int]]:
    """Every table of whole numbers with the same margins and the same shown cells."""
    cells = sorted(cell for cell in counted if cell not in shown)
    left: Counter[str] = Counter()
    for r, c in cells:
        left[r] += counted[(r, c)]
        left[c] += counted[(r, c)]
    last = {key: max(i for i, cell in enumerate(cells) if key in cell) for key in left}
    world: dict[Cell, int] = {}

    def fill(place: int) -> Iterator[dict[Cell, int]]:
        if place == len(cells):
            yield world
            return
        r, c = cells[place]
        least = max((left[key] for key in (r, c) if last[key] == place), default=0)
        for value in range(least, min(left[r], left[c]) + 1):
            world[(r, c)] = value
            left[r] -= value
            left[c] -= value
            yield from fill(place + 1)
            left[r] += value
            left[c] += value

    return fill(0)


def test_every_world_with_the_same_margins_of_small_tables(connection: duckdb.DuckDBPyConnection) -> None:
    draw = random.Random(3)
    tables = [
        random_table(draw, *draw.choice([(2, 3), (3, 2), (3, 3), (2, 4), (4, 3)]), 40) for _ in range(500)
    ]
    n_hidden = n_worlds = 0
    for table, shown in zip(tables, all_shown(connection, tables, n_passes=8), strict=True):
        counted = counts(table)
        hidden = [cell for cell in counted if cell not in shown]
        if not shown or not hidden or sum(counted[cell] for cell in hidden) > 80:
            continue
        assert_lines_are_safe(table, shown)
        seen: dict[Cell, tuple[int, int]] = {}
        for world in worlds(counted, shown):
            n_worlds += 1
            for cell, value in world.items():
                low, high = seen.get(cell, (value, value))
                seen[cell] = (min(low, value), max(high, value))
        for cell, (low, high) in seen.items():
            if any(counted[other] for other in hidden if other[0] == cell[0]):
                assert_bounds(low, high, counted[cell])
        n_hidden += len(seen)
    assert n_hidden > 40 and n_worlds > 1000, (n_hidden, n_worlds)


def exact_system(counted: dict[Cell, int], shown: set[Cell]) -> tuple[System, dict[Cell, int]]:
    """Hidden cells with the exact totals of what their rows and columns hide."""
    system = System()
    unknown = {cell: system.unknown("|".join(cell)) for cell in sorted(counted) if cell not in shown}
    for axis in (0, 1):
        for key in sorted({cell[axis] for cell in unknown}):
            line = [cell for cell in unknown if cell[axis] == key]
            total = float(sum(counted[cell] for cell in line))
            system.row([unknown[cell] for cell in line], total, total)
    return system, unknown


@pytest.fixture(scope="module")
def larger() -> list[Table]:
    draw = random.Random(11)
    return [random_table(draw, draw.randint(5, 14), draw.choice((5, 6, 9)), 150) for _ in range(40)]


def test_exact_margins_prove_nothing_about_larger_tables(
    larger: list[Table], connection: duckdb.DuckDBPyConnection
) -> None:
    closed, safe_mass, shown_mass = 0, 0, 0
    for table, shown in zip(larger, all_shown(connection, larger), strict=True):
        safe_mass += sum(sum(accounts.values()) for accounts in table.values() if is_safe(accounts))
        shown_mass += sum(sum(table[cell].values()) for cell in shown)
        if not shown:
            continue
        closed += 1
        assert_lines_are_safe(table, shown)
        counted = counts(table)
        system, unknown = exact_system(counted, shown)
        solver = Solver(system)
        for cell, number in unknown.items():
            if not any(counted[other] for other in unknown if other[0] == cell[0]):
                continue
            lowest, highest = solver.minimise([number]), solver.minimise([number], -1.0)
            assert lowest is not None and highest is not None
            assert_bounds(round(lowest[number]), round(highest[number]), counted[cell])
    assert closed >= 36
    assert shown_mass > 0.75 * safe_mass


def people(prefix: str, n: int) -> Accounts:
    return Counter(f"{prefix}{i}" for i in range(n))


def test_one_revealing_cell_costs_cells_and_not_the_table(connection: duckdb.DuckDBPyConnection) -> None:
    """Every row hides two small cells; one hides a third, large one that nobody else hides."""
    table = {(f"r{r}", f"c{c}"): people(f"{r}-{c}-", n) for r in range(6)
             for c, n in enumerate((5, 4 if r == 0 else 11, 40 + 5 * r, 120))}  # fmt: skip
    (shown,) = all_shown(connection, [table])
    hidden = {cell for cell in table if cell not in shown}
    assert ("r0", "c2") in hidden
    assert {r for r, c in hidden if c == "c2"} > {"r0"}, "others hide the column too, so that r0 is not alone"
    assert all((f"r{r}", "c3") in shown for r in range(6))
    assert_lines_are_safe(table, shown)


def test_a_table_that_cannot_be_closed_shows_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    """What the large row hides cannot be traded against anything: the other row is too small."""
    table = {
        ("large", "rare"): people("a", 3),
        ("large", "common"): people("b", 900),
        ("small", "rare"): people("c", 14),
        ("small", "common"): people("d", 40),
    }
    assert all_shown(connection, [table]) == [set()]


def test_a_table_of_safe_cells_is_shown_whole(connection: duckdb.DuckDBPyConnection) -> None:
    table = {(f"r{r}", f"c{c}"): people(f"{r}-{c}-", 20 + r + c) for r in range(3) for c in range(3)}
    assert all_shown(connection, [table]) == [set(table)]
