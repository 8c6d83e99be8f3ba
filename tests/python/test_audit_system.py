"""Linear bounds against full enumeration of small worlds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from economic_index.disclosure.audit.system import Solver, System, bound


def enumerate_worlds(system: System, largest: int) -> list[tuple[int, ...]]:
    """Every world of whole numbers up to ``largest`` that agrees with the system."""
    worlds = itertools.product(range(largest + 1), repeat=len(system.names))
    return [world for world in worlds if system.holds(world)]


@st.composite
def tables(draw: st.DrawFn) -> tuple[System, int]:
    """A small two-way table with some cells impossible and intervals for its margins."""
    n_rows, n_columns = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    system = System()
    truth: list[int] = []
    cells: dict[tuple[int, int], int] = {}
    for r, c in itertools.product(range(n_rows), range(n_columns)):
        if draw(st.booleans()) or not cells:
            cells[(r, c)] = system.unknown(f"{r}|{c}", 0, 4)
            truth.append(draw(st.integers(0, 4)))
    slack = draw(st.integers(0, 1))
    for axis, length in ((0, n_rows), (1, n_columns)):
        for line in range(length):
            members = [number for key, number in cells.items() if key[axis] == line]
            if members and draw(st.booleans()):
                total = sum(truth[number] for number in members)
                system.row(members, max(0, total - slack), total + slack)
    return system, 4


@settings(max_examples=60, deadline=None)
@given(tables())
def test_bounds_are_those_of_all_worlds(case: tuple[System, int]) -> None:
    system, largest = case
    worlds = np.array(enumerate_worlds(system, largest))
    assert len(worlds)
    targets = np.arange(len(system.names))
    # A width no interval can have makes every bound tight.
    bounds = bound(system, targets, np.zeros(len(targets), dtype=np.int64), width=99.0)
    assert bounds is not None and bounds.is_complete
    assert np.allclose(bounds.low, worlds.min(axis=0), atol=1e-5)
    assert np.allclose(bounds.high, worlds.max(axis=0), atol=1e-5)


def test_subtraction_is_exact() -> None:
    system = System()
    one, two = system.unknown("one"), system.unknown("two", 20, 20)
    system.row([one, two], 27, 27)
    bounds = bound(system, np.array([one]), np.array([0]))
    assert bounds is not None and bounds.low[0] == bounds.high[0] == pytest.approx(7)


def test_a_child_shown_elsewhere_leaves_a_rest_to_one_block() -> None:
    """Two blocks, three children; the rest of a child that only one block can hold is that cell
    (structural zeros)."""
    system = System()
    cells = {(b, c): system.unknown(f"{b}{c}") for b, c in (("x", 1), ("x", 2), ("y", 2), ("y", 3))}
    system.row([cells["x", 1], cells["x", 2]], 57, 57)
    system.row([cells["y", 2], cells["y", 3]], 60, 60)
    system.row([cells["x", 1]], 41, 41)
    targets = np.array(list(cells.values()))
    bounds = bound(system, targets, np.array([0, 0, 1, 1]))
    assert bounds is not None
    assert (bounds.low[0], bounds.high[0]) == pytest.approx((41, 41))
    assert (bounds.low[1], bounds.high[1]) == pytest.approx((16, 16))


def test_no_world_is_said() -> None:
    system = System()
    one = system.unknown("one", 0, 5)
    system.row([one], 6, 7)
    assert bound(system, np.array([one]), np.array([0])) is None


def test_worlds_of_whole_numbers() -> None:
    system = System()
    a, b = system.unknown("a", 0, 9), system.unknown("b", 0, 9)
    system.row([a, b], 3, 3, [2.0, 2.0])
    assert Solver(system).whole(a, 1.0) is None
    system.rows[0] = ([a, b], [2.0, 2.0], 4.0, 4.0)
    world = Solver(system).whole(a, -1.0)
    assert world is not None and system.holds(np.round(world).tolist()) and round(world[a]) == 2
