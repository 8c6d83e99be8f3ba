"""How well two ways of counting agree: the four measures of the paper's Appendix G."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST_UNITS = 10
Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Two distributions over the same units, compared over the units that at least one of them has.

    Attributes:
        n_direct, n_clusters, n_both: units with a share above zero in the first, the second, both.
        pearson, spearman, kendall: correlations (tau-b); None below 10 units or where one side does not vary.
        mean_squared_error: in squared percentage points; None below 10 units.
    """

    n_direct: int
    n_clusters: int
    n_both: int
    pearson: float | None
    spearman: float | None
    kendall: float | None
    mean_squared_error: float | None


def shares(counts: Shares) -> Shares:
    """Counts as shares of their sum; zeros where the sum is zero."""
    total = float(counts.sum())
    return counts / total if total > 0 else np.zeros_like(counts, dtype=np.float64)


def agreement(direct: Shares, clusters: Shares) -> Agreement:
    """Compare two vectors of counts, shape (units,), as distributions."""
    from scipy.stats import kendalltau, pearsonr, spearmanr

    first, second = shares(direct), shares(clusters)
    seen = (first > 0) | (second > 0)
    sizes = int((first > 0).sum()), int((second > 0).sum()), int(((first > 0) & (second > 0)).sum())
    if int(seen.sum()) < FEWEST_UNITS or sizes[0] == 0 or sizes[1] == 0:
        return Agreement(*sizes, None, None, None, None)
    x, y = first[seen], second[seen]
    error = float(np.mean((100 * (x - y)) ** 2))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return Agreement(*sizes, None, None, None, error)
    measures = [float(test(x, y).statistic) for test in (pearsonr, spearmanr, kendalltau)]
    pearson, spearman, kendall = (value if math.isfinite(value) else None for value in measures)
    return Agreement(*sizes, pearson, spearman, kendall, error)
