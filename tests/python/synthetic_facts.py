"""Synthetic facts with heavy-tailed popularity of tasks and accounts, for tests of the wall and of the
auditor."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from wall_project import FACT_SCHEMA, LABEL_SCHEMA, task_table

PATTERNS = ("directive", "feedback_loop", "task_iteration", "learning", "validation", "none")
SKILLS = ("reading_comprehension", "writing", "programming", "critical_thinking", "installation", "repairing")
USES = ("work_use", "coursework_use", "personal_use")
ANSWERS = ("explicitly", "likely", "possibly", "non")
# Regions of some countries, the larger first; the last code of all is in no list of ISO 3166-2.
REGIONS = {"US": ("US-CA", "US-NY", "US-TX", "US-WY"), "DE": ("DE-BY", "DE-BE"), "IN": ("IN-KA", "IN-ZZ")}
OUTCOMES = ("classified", "screened_out", "none", "unclassified", "failed", "duplicate", "quarantined")


def _region(country: str | None, draw: float) -> str | None:
    """Half of a country's conversations in its first region, a quarter in the second, and so on; some without one."""
    listed = REGIONS.get(country or "", ())
    place = int(-np.log2(1 - draw)) if draw < 1 else 0
    return listed[place] if place < len(listed) else None


def make_facts(
    n: int = 20_000,
    *,
    seed: int = 1,
    n_accounts: int | None = None,
    sigma: float = 2.6,
    models: tuple[str, ...] = ("other", "small", "large"),
    unanswered: float = 0.01,
    tasks: list[int] | None = None,
    countries: tuple[str, ...] = (),
    uses: bool = True,
    regions: bool = False,
) -> tuple[pa.Table, pa.Table]:
    """``n`` conversations over the sample taxonomy; returns (facts, labels).

    ``sigma`` is the spread of the lognormal popularity of tasks; ``unanswered`` the share of missing answers.
    """
    draw = np.random.default_rng(seed)
    task_ids = np.array(tasks if tasks is not None else sorted({task for task, _ in task_table()}))
    weight = draw.lognormal(0, sigma, len(task_ids))
    task = draw.choice(task_ids, n, p=weight / weight.sum())
    n_accounts = n_accounts or max(20, n // 5)
    activity = draw.lognormal(0, 1.2, n_accounts)
    account = draw.choice(n_accounts, n, p=activity / activity.sum())
    profile = draw.dirichlet(
        np.array([3.0, 1.2, 2.4, 2.0, 0.5, 0.4]), int(task_ids.max()) + 1 - int(task_ids.min())
    )
    cumulative = profile[task - task_ids.min()].cumsum(axis=1)
    pattern = (draw.random((n, 1)) > cumulative).sum(axis=1).clip(0, 5)
    answered = draw.random(n) >= unanswered
    outcome = draw.choice(len(OUTCOMES), n, p=[0.86, 0.08, 0.03, 0.004, 0.001, 0.02, 0.005])
    model = draw.choice(
        len(models), n, p=np.array([0.7, 0.25, 0.05])[: len(models)] if len(models) == 3 else None
    )
    thinking = draw.random(n)
    share = 0.5 ** np.arange(1, len(countries) + 1)
    country = draw.choice(len(countries), n, p=share / share.sum()) if countries else None
    classified = outcome == 0
    # Draws of their own, so that everything else stays as it is without regions.
    where = np.random.default_rng(seed + 1).random(n)
    places = [None] * n if country is None else [countries[c] for c in country]
    ids = np.array([f"conv-{seed}-{i:07d}" for i in range(n)])
    facts = {
        "input_row": np.arange(n),
        "conversation_id": ids,
        "account_key": [
            None if draw_ < 0.01 else f"acct-{seed}-{a:06d}"
            for a, draw_ in zip(account, draw.random(n), strict=True)
        ],
        "organization_key": [None] * n,
        "started_at": [None] * n,
        "model": [models[m] for m in model],
        "product": [None] * n,
        "language": [None] * n,
        "country_code": places,
        "region_code": [
            _region(place, u) if regions else None for place, u in zip(places, where, strict=True)
        ],
        "is_extended_thinking": [bool(t < 0.3) if t < 0.9 else None for t in thinking],
        "outcome": [OUTCOMES[o] for o in outcome],
        "outcome_reason": [None] * n,
        "task_id": [int(t) if c else None for t, c in zip(task, classified, strict=True)],
        "collaboration_pattern": [
            PATTERNS[p] if c and a else None for p, c, a in zip(pattern, classified, answered, strict=True)
        ],
    }
    rows: dict[str, list[object]] = {"conversation_id": [], "facet": [], "option_id": []}

    def add(mask: np.ndarray, facet: str, option: list[str]) -> None:
        chosen = np.flatnonzero(mask)
        rows["conversation_id"] += list(ids[chosen])
        rows["facet"] += [facet] * len(chosen)
        rows["option_id"] += [option[i] for i in chosen]

    for rate, skill in zip((0.6, 0.4, 0.3, 0.5, 0.01, 0.0005), SKILLS, strict=True):
        add(classified & (draw.random(n) < rate), "skill", [skill] * n)
    for facet, chances in zip(
        USES if uses else (),
        ([0.4, 0.4, 0.15, 0.05], [0.05, 0.1, 0.15, 0.7], [0.02, 0.08, 0.3, 0.6]),
        strict=False,
    ):
        answer = draw.choice(4, n, p=chances)
        add(classified & (draw.random(n) >= unanswered), facet, [ANSWERS[a] for a in answer])
    labels = {**rows, "confidence": [None] * len(rows["facet"])}
    return pa.table(facts, schema=FACT_SCHEMA), pa.table(labels, schema=LABEL_SCHEMA)
