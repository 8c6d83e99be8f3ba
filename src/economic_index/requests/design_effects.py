"""Design effects: how much wider an interval is because conversations come in accounts.

An account-clustered bootstrap over published tasks. A design effect says something about how the
conversations of a
unit are spread over accounts, so it leaves the private side only as one of five classes (DESIGN section 9).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

CLASSES = (1.0, 1.5, 2.0, 3.0, 5.0)
REPLICATES = 200
BLOCK = 20
SEED = 20_250_210
FEWEST_CONVERSATIONS = 15

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
    """The dbt model ``design_effect_classes``: relations in, ``SCHEMA`` out, ordered by family and unit.

    Args:
        facts: account_key, task_id, collaboration_pattern of classified conversations.
        published: task_id of published tasks; nothing else is looked at.
        allocation: task_id, onet_soc_code, soc_major_code, n_holders.
    """
    from scipy.sparse import coo_matrix

    tasks = {int(row[0]): place for place, row in enumerate(sorted(published.fetchall()))}
    rows = [(a or "", tasks[int(t)], p) for a, t, p in facts.fetchall() if int(t) in tasks]
    if not rows:
        return SCHEMA.empty_table()
    accounts = {key: place for place, key in enumerate(sorted({row[0] for row in rows}))}
    by_account = np.array([accounts[row[0]] for row in rows])
    ones = np.ones(len(rows))
    shape = (len(accounts), len(tasks))
    counts = coo_matrix((ones, (by_account, np.array([row[1] for row in rows]))), shape=shape).tocsr()
    names = {place: str(task_id) for task_id, place in tasks.items()}
    found = {("task", names[place]): effect for place, effect in enumerate(design_effects(counts))}
    pairs = [row for row in allocation.fetchall() if int(row[0]) in tasks]
    for family, column in (("occupation", 1), ("soc_major_group", 2)):
        units = {code: place for place, code in enumerate(sorted({str(row[column]) for row in pairs}))}
        cells = ([tasks[int(r[0])] for r in pairs], [units[str(r[column])] for r in pairs])
        split = coo_matrix(([1 / int(r[3]) for r in pairs], cells), shape=(len(tasks), len(units))).tocsr()
        found |= {(family, code): e for code, e in zip(units, design_effects(counts, split), strict=True)}
    patterns = {name: place for place, name in enumerate(sorted({row[2] or "none" for row in rows}))}
    cells_of = np.array([patterns[row[2] or "none"] for row in rows])
    by_pattern = coo_matrix((ones, (by_account, cells_of)), shape=(len(accounts), len(patterns))).tocsr()
    enough = np.asarray(by_pattern.sum(axis=0)).ravel() >= FEWEST_CONVERSATIONS
    found |= {
        ("collaboration_pattern", name): effect
        for (name, place), effect in zip(patterns.items(), design_effects(by_pattern), strict=True)
        if enough[place]
    }
    ordered = sorted((family, unit, to_class(float(effect))) for (family, unit), effect in found.items())
    return pa.table([list(column) for column in zip(*ordered, strict=True)], schema=SCHEMA)
