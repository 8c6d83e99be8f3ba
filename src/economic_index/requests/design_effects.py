"""Design effects: how much wider an interval is because conversations come in accounts.

An account-clustered bootstrap over published tasks. A design effect says something about how the
conversations of a unit are spread over accounts, so it leaves the private side only as one of five classes
(DESIGN section 9).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

CLASSES = (1.0, 1.5, 2.0, 3.0, 5.0)
REPLICATES = 200
BLOCK = 20
SEED = 20_250_210

SCHEMA = pa.schema([("family", pa.string()), ("unit", pa.string()), ("design_effect_class", pa.float64())])


def design_effects(counts: Any, units: Any | None = None) -> NDArray[np.float64]:
    """Design effect of every share: bootstrap variance over that of a simple random sample.

    Args:
        counts: conversations by account and cell, sparse, shape (accounts, cells); the base of the shares
        is its sum.
        units: weights of cells in units, sparse, shape (cells, units); each cell is a unit of its own by
        default.

    Returns:
        Shape (units,). 1 where a share is 0 or 1, or there are fewer than two accounts.
    """
    n_accounts = counts.shape[0]
    total = float(counts.sum())
    observed = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()
    p = (observed if units is None else observed @ units) / max(total, 1.0)
    if n_accounts < 2 or total == 0:
        return np.ones(len(p))
    generator = np.random.default_rng(SEED)
    draws = []
    for _ in range(REPLICATES // BLOCK):
        weights = generator.poisson(1.0, size=(BLOCK, n_accounts)).astype(np.float64)
        cells = np.asarray((counts.T @ weights.T).T)
        totals = cells.sum(axis=1, keepdims=True)
        sums = cells if units is None else cells @ units
        draws.append(np.asarray(sums) / np.maximum(totals, 1.0))
    variance = np.concatenate(draws).var(axis=0, ddof=1)
    simple = p * (1 - p) / total
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(simple > 0, variance / simple, 1.0)


def to_class(effect: float) -> float:
    """The smallest class that is not below ``effect``; 5 stands for everything above 3."""
    return next((bound for bound in CLASSES if effect <= bound), CLASSES[-1])


def design_effect_table(facts: Any, published: Any, allocation: Any) -> pa.Table:
    """The dbt model ``design_effect_classes``: DuckDB relations in, ``SCHEMA`` out, ordered by family and
    unit.

    Args:
        facts: account_key, task_id, collaboration_pattern, outcome.
        published: task_id, status; only conversations of published tasks are looked at.
        allocation: task_id, onet_soc_code, soc_major_code, n_holders.
    """
    listed = published.filter("status = 'published'").project("task_id").fetchall()
    tasks = {task_id: place for place, task_id in enumerate(sorted(int(row[0]) for row in listed))}
    cells = facts.filter("outcome = 'classified'").aggregate(
        "coalesce(account_key, '') as account, task_id, "
        "coalesce(collaboration_pattern, 'not_attributed') as pattern, count(*) as n"
    )
    rows = sorted((a, tasks[int(t)], p, int(n)) for a, t, p, n in cells.fetchall() if int(t) in tasks)
    if not rows:
        return SCHEMA.empty_table()
    accounts = _places(row[0] for row in rows)
    by_account = [accounts[row[0]] for row in rows]
    n = [row[3] for row in rows]
    counts = _sparse(n, by_account, [row[1] for row in rows], len(accounts), len(tasks))
    found = {
        ("task", str(task_id)): effect for task_id, effect in zip(tasks, design_effects(counts), strict=True)
    }
    held = allocation.project("task_id, onet_soc_code, soc_major_code, n_holders").fetchall()
    pairs = sorted(row for row in held if int(row[0]) in tasks)
    for family, column in (("occupation", 1), ("soc_major_group", 2)):
        units = _places(str(row[column]) for row in pairs)
        split = _sparse(
            [1 / int(row[3]) for row in pairs],
            [tasks[int(row[0])] for row in pairs],
            [units[str(row[column])] for row in pairs],
            len(tasks),
            len(units),
        )
        effects = design_effects(counts, split)
        found |= {(family, code): effect for code, effect in zip(units, effects, strict=True)}
    patterns = _places(row[2] for row in rows)
    by_pattern = _sparse(n, by_account, [patterns[row[2]] for row in rows], len(accounts), len(patterns))
    effects = design_effects(by_pattern)
    found |= {("collaboration_pattern", name): effect for name, effect in zip(patterns, effects, strict=True)}
    ordered = sorted((family, unit, to_class(float(effect))) for (family, unit), effect in found.items())
    return pa.table([list(column) for column in zip(*ordered, strict=True)], schema=SCHEMA)


def _places(names: Iterable[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(sorted(set(names)))}


def _sparse(
    values: Sequence[float], rows: Sequence[int], columns: Sequence[int], n_rows: int, n_columns: int
) -> Any:
    from scipy.sparse import coo_matrix

    data = np.asarray(values, dtype=np.float64)
    return coo_matrix((data, (rows, columns)), shape=(n_rows, n_columns)).tocsr()
