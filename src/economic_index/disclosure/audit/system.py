"""A linear system over unknown counts, and what it proves about each of them (attack on linked tables, A2
and A6).

Released counts are rows with an interval (a rounded count is known within the rounding). Every solution is a
world that agrees with everything released. Bounds of single unknowns come from HiGHS; most unknowns never
need a run of their own, because every solution met on the way is a witness for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import highspy
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
INFINITE = float("inf")
EPSILON = 1e-6


@dataclass
class System:
    """Unknowns with bounds, rows with bounds.

    Attributes:
        names: of the unknowns.
        lower, upper: their bounds.
        rows: (unknowns, coefficients, lower, upper) of each row.
    """

    names: list[str] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    rows: list[tuple[list[int], list[float], float, float]] = field(default_factory=list)

    def unknown(self, name: str, lower: float = 0.0, upper: float = INFINITE) -> int:
        """Add an unknown; returns its number."""
        self.names.append(name)
        self.lower.append(lower)
        self.upper.append(upper)
        return len(self.names) - 1

    def row(
        self, unknowns: Sequence[int], lower: float, upper: float, coefficients: Sequence[float] | None = None
    ) -> None:
        """Add ``lower <= sum(coefficient * unknown) <= upper``; coefficients are 1 unless given."""
        values = list(coefficients) if coefficients is not None else [1.0] * len(unknowns)
        self.rows.append((list(unknowns), values, lower, upper))

    def holds(self, world: Sequence[float], tolerance: float = 1e-4) -> bool:
        """Does a world agree with every bound and every row?"""
        for value, low, high in zip(world, self.lower, self.upper, strict=True):
            if value < low - tolerance or value > high + tolerance:
                return False
        for unknowns, coefficients, low, high in self.rows:
            total = sum(c * world[u] for u, c in zip(unknowns, coefficients, strict=True))
            if total < low - tolerance or total > high + tolerance:
                return False
        return True


@dataclass
class Bounds:
    """What worlds met so far say about the targets: proven where ``is_lower_tight`` / ``is_upper_tight``.

    Attributes:
        low, high: smallest and largest value of each target over all worlds met.
        n_solves: how many linear programs were solved.
        is_complete: False when the time ran out before every target was decided.
    """

    low: Floats
    high: Floats
    n_solves: int
    is_complete: bool


class Solver:
    """HiGHS on one system, with changing objectives; the last basis is the start of the next run."""

    def __init__(self, system: System) -> None:
        self.n = len(system.names)
        self.highs = highspy.Highs()
        self.highs.setOptionValue("output_flag", False)
        self.highs.setOptionValue("threads", 1)
        self.highs.setOptionValue("random_seed", 0)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = self.n, len(system.rows)
        model.col_cost_ = np.zeros(self.n)
        model.col_lower_ = np.array(system.lower, dtype=float)
        model.col_upper_ = np.array(system.upper, dtype=float)
        model.row_lower_ = np.array([row[2] for row in system.rows], dtype=float)
        model.row_upper_ = np.array([row[3] for row in system.rows], dtype=float)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.cumsum([0, *(len(row[0]) for row in system.rows)]).astype(np.int32)
        model.a_matrix_.index_ = np.array([u for row in system.rows for u in row[0]], dtype=np.int32)
        model.a_matrix_.value_ = np.array([c for row in system.rows for c in row[1]], dtype=float)
        self.highs.passModel(model)
        self.cost = np.zeros(self.n)
        self.n_solves = 0

    def minimise(self, targets: Iterable[int], weight: float | Sequence[float] = 1.0) -> Floats | None:
        """A world with the smallest weighted sum of ``targets``; ``None`` when no world agrees with the
        release."""
        cost = np.zeros(self.n)
        cost[np.fromiter(targets, dtype=np.int64)] = weight
        changed = np.flatnonzero(cost != self.cost).astype(np.int32)
        if len(changed):
            self.highs.changeColsCost(len(changed), changed, cost[changed])
            self.cost = cost
        self.highs.run()
        self.n_solves += 1
        if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return np.array(self.highs.getSolution().col_value, dtype=float)

    def whole(self, target: int, sign: float, seconds: float = 10.0) -> Floats | None:
        """A world of whole numbers with the smallest (``sign`` 1) or largest (-1) value of one unknown,
        if found in time."""
        kinds = np.full(self.n, highspy.HighsVarType.kInteger)
        self.highs.changeColsIntegrality(self.n, np.arange(self.n, dtype=np.int32), kinds)
        self.highs.setOptionValue("time_limit", self.highs.getRunTime() + seconds)
        try:
            return self.minimise([target], sign)
        finally:
            self.highs.setOptionValue("time_limit", INFINITE)
            kinds = np.full(self.n, highspy.HighsVarType.kContinuous)
            self.highs.changeColsIntegrality(self.n, np.arange(self.n, dtype=np.int32), kinds)


def bound(
    system: System,
    targets: Ints,
    groups: Ints,
    *,
    width: float = 10.0,
    seconds: float = 300.0,
    solver: Solver | None = None,
) -> Bounds | None:
    """Bounds of targets, as far as needed to decide whether each is below 1 in one world and ``width`` wide
    over all.

    Args:
        system: the release.
        targets: unknowns to bound.
        groups: a number for each target; targets of one group (a row of a table) compete for the same
        conversations,
            so at most one of each is pushed up in a run.
        width: an interval at least this wide needs no closer look.
        seconds: time after which single runs stop.

    Returns:
        ``None`` when no world agrees with the system: the auditor's reading of the release is wrong
        somewhere.
    """
    solver = solver or Solver(system)
    started = time.monotonic()
    low, high = np.full(len(targets), INFINITE), np.full(len(targets), -INFINITE)

    def see(world: Floats) -> None:
        np.minimum(low, world[targets], out=low)
        np.maximum(high, world[targets], out=high)

    first = solver.minimise([])
    if first is None:
        return None
    see(first)
    draw = np.random.default_rng(0)
    for _ in range(12):
        open_low, open_high = np.flatnonzero(low > EPSILON), np.flatnonzero(high - low < width)
        if not len(open_low) and not len(open_high):
            return Bounds(low, high, solver.n_solves, True)
        for direction, wanted in ((1.0, open_low), (-1.0, open_high)):
            if not len(wanted):
                continue
            # One target of each group at a time: together they would only share what one of them can have.
            order = draw.permutation(wanted)
            _, chosen = np.unique(groups[order], return_index=True)
            picked = order if direction > 0 else order[chosen]
            world = solver.minimise(targets[picked], direction)
            if world is not None:
                see(world)
        if time.monotonic() - started > seconds:
            break
    is_complete = True
    empty = _proven_empty(solver, targets, high, see)
    for position in np.flatnonzero(((low > EPSILON) | (high - low < width)) & ~empty):
        for direction in (1.0, -1.0):
            done = low[position] <= EPSILON and high[position] - low[position] >= width
            if done:
                break
            if direction > 0 and low[position] <= EPSILON:
                continue
            if time.monotonic() - started > seconds:
                is_complete = False
                break
            world = solver.minimise([int(targets[position])], direction)
            if world is not None:
                see(world)
    return Bounds(low, high, solver.n_solves, is_complete)


def _proven_empty(
    solver: Solver, targets: Ints, high: Floats, see: Callable[[Floats], None]
) -> NDArray[np.bool_]:
    """Which targets are 0 in every world: all that never were more are pushed up together; if their largest sum is 0,
    so is each of them, by one linear program instead of one a target.
    """
    while True:
        zeros = high <= EPSILON
        if not zeros.any():
            return zeros
        world = solver.minimise(targets[zeros], -1.0)
        if world is None or world[targets[zeros]].max() <= EPSILON:
            return zeros if world is not None else np.zeros_like(zeros)
        see(world)
