"""Allocation, shares, intervals, bands and rounding hold for all inputs: the project's SQL, on drawn ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from macro_sql import macro, project

from economic_index.disclosure.rounding import round_count

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
#: All numbers of holders of a task in O*NET 29.1 give this least common multiple (DESIGN section 9).
L_OF_29_1 = 22_029_527_520
BANDS = [5, *[first * 10**k for k in range(1, 6) for first in (1, 2.5, 5)], 10**6]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    opened = duckdb.connect()
    opened.execute("set threads = 1")
    yield opened
    opened.close()


def fill(
    connection: duckdb.DuckDBPyConnection, name: str, columns: str, rows: Iterable[tuple[Any, ...]]
) -> None:
    """Make the table ``name`` anew; HUGEINT values travel as text."""
    connection.execute(f"create or replace table {name} ({columns})")
    rows = [tuple(str(v) if isinstance(v, int) and abs(v) >= 2**63 else v for v in row) for row in rows]
    if rows:
        connection.executemany(f"insert into {name} values ({', '.join('?' * len(rows[0]))})", rows)


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row


@QUICK
@example([1])
@example([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24])
@given(holders=st.lists(st.integers(1, 30), min_size=1, max_size=40))
def test_denominator_is_the_least_common_multiple(
    connection: duckdb.DuckDBPyConnection, holders: list[int]
) -> None:
    fill(connection, "task_occupations", "n_holders integer", [(h,) for h in holders])
    denominator = one(connection, macro("allocation_denominator", "task_occupations", "n_holders"))[0]
    assert denominator == math.lcm(*holders)
    assert all(denominator % h == 0 for h in holders)


# A taxonomy: for every task the occupations that hold it, and a count of conversations (none: withheld).
TASKS = st.lists(
    st.tuples(
        st.sets(st.integers(0, 11), min_size=1, max_size=12),
        st.one_of(st.none(), st.integers(3, 2 * 10**11).map(lambda n: 5 * n)),
    ),
    min_size=1,
    max_size=12,
)


def allocate(connection: duckdb.DuckDBPyConnection, tasks: list[tuple[set[int], int | None]]) -> None:
    """Tables task_occupations, task_allocation (the project's own model) and wall_public_tasks."""
    holders = [
        (task, f"{11 + occupation % 4}-{occupation:04d}.00", str(11 + occupation % 4), len(occupations))
        for task, (occupations, _) in enumerate(tasks)
        for occupation in sorted(occupations)
    ]
    columns = "task_id bigint, onet_soc_code varchar, soc_major_code varchar, n_holders integer"
    fill(connection, "task_occupations", columns, holders)
    allocation = project().model("reference/task_allocation.sql")
    connection.execute(f"create or replace table task_allocation as {allocation}")
    usage = [
        (task, "published" if n is not None else "withheld", n, n, 5 if n is not None else None)
        for task, (_, n) in enumerate(tasks)
    ]
    fill(
        connection,
        "wall_public_tasks",
        "task_id bigint, status varchar, n_conversations bigint, n_support_conversations bigint, "
        "n_accounts_at_least bigint",
        usage,
    )


@QUICK
@example([({0, 1, 2}, 5 * 10**11), ({0, 1, 2, 3, 4, 5, 6}, 5 * 10**11), (set(range(11)), 10**12)])
@given(tasks=TASKS)
def test_mass_is_conserved_to_the_last_digit(
    connection: duckdb.DuckDBPyConnection, tasks: list[tuple[set[int], int | None]]
) -> None:
    allocate(connection, tasks)
    denominator = math.lcm(*(len(occupations) for occupations, _ in tasks))
    weights = connection.execute(
        """
        select sum(weight_numerator), min(weight_denominator), max(weight_denominator)
        from task_allocation
        group by task_id
        """
    ).fetchall()
    assert weights == [(denominator, denominator, denominator)] * len(tasks)
    total = sum(n or 0 for _, n in tasks)
    numerators = connection.execute(
        """
        select onet_soc_code, sum(cast(n_conversations as hugeint) * weight_numerator)
        from task_allocation inner join wall_public_tasks using (task_id)
        group by 1 having sum(n_conversations) is not null
        """
    ).fetchall()
    assert sum(numerator for _, numerator in numerators) == total * denominator
    weights_test = macro(
        "groups_losing_mass", "task_allocation", ["task_id"], "weight_numerator", "weight_denominator"
    )
    assert connection.execute(weights_test).fetchall() == []


@QUICK
@given(tasks=TASKS)
def test_occupations_get_exactly_their_share(
    connection: duckdb.DuckDBPyConnection, tasks: list[tuple[set[int], int | None]]
) -> None:
    allocate(connection, tasks)
    expected: dict[int, Fraction] = {}
    for occupations, n in tasks:
        for occupation in occupations if n is not None else ():
            expected[occupation] = expected.get(occupation, Fraction(0)) + Fraction(n, len(occupations))
    numerator = "sum(cast(n_conversations as hugeint) * weight_numerator)"
    found = connection.execute(
        f"""
        select
            onet_soc_code,
            {macro("from_numerator", numerator, "max(weight_denominator)")}
        from task_allocation inner join wall_public_tasks using (task_id)
        group by 1 having sum(n_conversations) is not null
        """
    ).fetchall()
    # One division of two exact numbers: at most three roundings, each of half a unit in the last place.
    assert {int(code[3:7]) for code, _ in found} == set(expected)
    for code, value in found:
        exact = expected[int(code[3:7])]
        assert abs(Fraction(value) - exact) <= exact * Fraction(3, 2**53), code


@pytest.mark.parametrize("n", [400_000_000, 10**12])
def test_the_denominator_of_the_full_release_fits(connection: duckdb.DuckDBPyConnection, n: int) -> None:
    numerator = one(connection, f"select {macro('to_numerator', n, f'cast({L_OF_29_1} as hugeint)', 7)}")[0]
    assert numerator == n * L_OF_29_1 // 7
    thousand_tasks = one(connection, f"select sum({n} * cast({L_OF_29_1} as hugeint)) from range(1000)")[0]
    assert thousand_tasks == 1000 * n * L_OF_29_1


def wilson(part: float, base: float) -> tuple[float, float]:
    """The interval as in the textbook, in plain Python."""
    z = 1.959963984540054
    p = part / base
    centre = (p + z * z / (2 * base)) / (1 + z * z / base)
    half = z * math.sqrt(p * (1 - p) / base + z * z / (4 * base * base)) / (1 + z * z / base)
    return max(0.0, centre - half), min(1.0, centre + half)


PARTS = st.tuples(st.integers(0, 10**12), st.integers(1, 10**12)).map(lambda pair: (min(pair), max(pair)))


@QUICK
@example([(0, 1)])
@example([(1, 1)])
@given(pairs=st.lists(PARTS, min_size=1, max_size=50))
def test_shares_and_intervals(connection: duckdb.DuckDBPyConnection, pairs: list[tuple[int, int]]) -> None:
    fill(connection, "counts", "part double, base double", pairs)
    columns = macro("share_columns", "s", "part", "base")
    rows = connection.execute(f"select part, base, {columns} from counts").fetchall()
    for part, base, share, lower, upper in rows:
        assert share == part / base
        assert 0 <= lower <= share + 1e-12 and share - 1e-12 <= upper <= 1
        assert (lower, upper) == pytest.approx(wilson(part, base), abs=1e-9)
        # Ten times the conversations, the same share: the interval is never wider.
        wider = wilson(part, base)
        narrower = wilson(10 * part, 10 * base)
        assert narrower[1] - narrower[0] <= wider[1] - wider[0] + 1e-12


@pytest.mark.parametrize(
    ("part", "base"), [("null", "100"), ("20", "null"), ("null", "null"), ("0", "0"), ("20", "0")]
)
def test_no_share_without_part_and_base(connection: duckdb.DuckDBPyConnection, part: str, base: str) -> None:
    columns = macro("share_columns", "s", f"cast({part} as bigint)", f"cast({base} as bigint)")
    assert one(connection, f"select {columns}") == (None, None, None)


@QUICK
@given(counts=st.lists(st.integers(5, 3 * 10**6), min_size=1, max_size=50))
def test_account_bands(connection: duckdb.DuckDBPyConnection, counts: list[int]) -> None:
    fill(connection, "counts", "n bigint", [(n,) for n in counts])
    for n, band in connection.execute(f"select n, {macro('account_band', 'n')} from counts").fetchall():
        assert band == max(edge for edge in BANDS if edge <= n)
    banded = f"(select {macro('account_band', 'n')} as band from counts)"
    assert connection.execute(macro("rows_off_the_account_bands", banded, "band")).fetchall() == []


@settings(max_examples=300, deadline=None)
@given(
    n=st.integers(0, 10**9),
    base=st.sampled_from([1, 5, 25]),
    digest=st.text("0123456789abcdef", min_size=32, max_size=32),
    key=st.binary(min_size=32, max_size=32),
)
def test_rounding_stays_within_one_step(n: int, base: int, digest: str, key: bytes) -> None:
    rounded = round_count(n, base, digest, key)
    assert rounded % base == 0
    assert abs(rounded - n) < base
    assert rounded == round_count(n, base, digest, key)
    assert (rounded >= 15) or n < 15 or base == 25


def test_rounding_is_unbiased_over_keys() -> None:
    keys = [i.to_bytes(32, "big") for i in range(4000)]
    for n, base in ((17, 5), (19, 5), (113, 25)):
        mean = sum(round_count(n, base, "0" * 32, key) for key in keys) / len(keys)
        # Standard error of the mean is below base / 2 / sqrt(4000).
        assert abs(mean - n) < 5 * base / 2 / math.sqrt(len(keys))


# Cells of one parent: (child or none, account, conversations).
CELLS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "d", None]), st.integers(0, 14), st.integers(1, 30)),
    min_size=1,
    max_size=60,
)
POLICY = """
create or replace table wall_policy as select 15 as min_conversations, 5 as min_accounts,
    cast(0.5 as decimal(6, 4)) as max_share_of_largest_account, 10 as min_conversations_without_two_largest,
    3 as min_accounts_without_two_largest, cast(0.1 as decimal(6, 4)) as min_remainder_share_of_largest,
    500 as zero_closure_below
"""


def is_safe(sizes: dict[int, int]) -> bool:
    """The strict rule in plain Python, from conversations by account."""
    ranked = sorted(sizes.values(), reverse=True)
    n, rest = sum(ranked), sum(ranked[2:])
    return (
        n >= 15
        and len(ranked) >= 5
        and 2 * ranked[0] <= n
        and rest >= 10
        and len(ranked) - 2 >= 3
        and 10 * rest >= ranked[0]
    )


@QUICK
@given(cells=CELLS)
def test_every_block_of_a_closure_is_safe(connection: duckdb.DuckDBPyConnection, cells: list[Any]) -> None:
    sizes: dict[tuple[str | None, int], int] = {}
    for child, account, n in cells:
        sizes[child, account] = sizes.get((child, account), 0) + n
    rows = [(1, child, account, n) for (child, account), n in sizes.items()]
    fill(connection, "cells", "parent bigint, child varchar, account bigint, n bigint", rows)
    connection.execute(POLICY)
    placed = connection.execute(macro("close_children", "cells", "wall_policy", n_domain=4)).fetchall()
    blocks = {child: block for _, child, block in placed}
    assert set(blocks) == {child for child, _ in sizes} and len(placed) == len(blocks)
    # All or nothing: a parent is withheld as a whole.
    assert len({block is None for block in blocks.values()}) == 1
    accounts: dict[str, dict[int, int]] = {}
    for (child, account), n in sizes.items():
        block = blocks[child]
        if block is not None:
            assert block in (child, "*") and (child is not None or block == "*")
            members = accounts.setdefault(block, {})
            members[account] = members.get(account, 0) + n
    assert all(is_safe(members) for members in accounts.values())
    whole: dict[int, int] = {}
    for (_, account), n in sizes.items():
        whole[account] = whole.get(account, 0) + n
    # What is safe as a whole is never withheld.
    assert not is_safe(whole) or None not in blocks.values()
    # Below 500 conversations nobody learns which children do not occur.
    if accounts and sum(whole.values()) < 500 and len(blocks) < 4:
        assert "*" in accounts
