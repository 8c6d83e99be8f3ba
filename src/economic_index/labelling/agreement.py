"""How far two labellings of the same conversations agree, level by level.

A level above the task is compared through the hierarchy and the occupations: two different tasks under one
node agree at that node. A task may belong to several occupations; two tasks agree on the occupation (or SOC
major group) if they share one, and a stricter column says how often they share all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from economic_index.labelling.labels import FURTHER_TASK
from economic_index.labelling.strategies import TASK
from economic_index.labelling.task_space import NONE, TaskSpace

LEVELS = ("screen", "top", "middle", "base", "soc_major", "occupation")
_Z = 1.959963984540054


@dataclass(frozen=True)
class Agreement:
    """One level. ``n``: conversations that both sides label there; ``share``: of them, those that agree.

    ``low`` and ``high`` bound ``share`` (Wilson, 95 %). ``kappa`` corrects for chance where a side has one
    label each (None where it may have several). ``share_exact``: agreement on the whole set of labels.
    """

    level: str
    n: int
    agree: int
    share: float | None
    low: float | None
    high: float | None
    share_exact: float | None
    kappa: float | None

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


@dataclass(frozen=True)
class Side:
    """One labelling: the screen's answer and the task of each conversation; absent where there is no usable
    answer."""

    screen: Mapping[str, str]
    task: Mapping[str, frozenset[str]]

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Side:
        """From rows of ``conversation_answers``; further tasks of a conversation are labels of it as well."""
        screen: dict[str, str] = {}
        tasks: dict[str, set[str]] = {}
        for row in rows:
            if row["status"] != "ok" or row["option_id"] is None:
                continue
            if row["facet"] == "occupational":
                screen[row["conversation_id"]] = row["option_id"]
            elif row["facet"] in (TASK, FURTHER_TASK) and row["option_id"] != NONE:
                tasks.setdefault(row["conversation_id"], set()).add(row["option_id"])
        return cls(screen, {name: frozenset(found) for name, found in tasks.items()})


def compare(
    one: Side, other: Side, space: TaskSpace, occupations: Mapping[str, frozenset[str]]
) -> list[Agreement]:
    """Agreement at every level.

    Args:
        one, other: two labellings; conversations that only one of them labels at a level do not count there.
        space: tasks and hierarchy; a hierarchy of more than three levels has its middle at depth 2.
        occupations: codes of the occupations of each task id.
    """
    both = sorted(set(one.task) & set(other.task))
    majors = dict(zip(space.task_ids, map(frozenset, space.soc_majors), strict=True))
    found = [
        _level(
            "screen",
            [(frozenset({one.screen[c]}), frozenset({other.screen[c]})) for c in _both_screened(one, other)],
        )
    ]
    for depth, name in ((0, "top"), (1, "middle")):
        found.append(
            _level(
                name, [(_nodes(one.task[c], space, depth), _nodes(other.task[c], space, depth)) for c in both]
            )
        )
    found.append(_level("base", [(one.task[c], other.task[c]) for c in both]))
    for name, held in (("soc_major", majors), ("occupation", occupations)):
        found.append(_level(name, [(_held(one.task[c], held), _held(other.task[c], held)) for c in both]))
    return found


def _both_screened(one: Side, other: Side) -> list[str]:
    return sorted(set(one.screen) & set(other.screen))


def _nodes(tasks: frozenset[str], space: TaskSpace, depth: int) -> frozenset[str]:
    paths = [space.path(task) for task in tasks if task in space.position]
    return frozenset(path[depth] for path in paths if len(path) > depth)


def _held(tasks: frozenset[str], held: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset(code for task in tasks for code in held.get(task, frozenset()))


def _level(name: str, pairs: Sequence[tuple[frozenset[str], frozenset[str]]]) -> Agreement:
    usable = [(a, b) for a, b in pairs if a and b]
    n = len(usable)
    agree = sum(bool(a & b) for a, b in usable)
    exact = sum(a == b for a, b in usable)
    low, high = wilson(agree, n)
    share = agree / n if n else None
    return Agreement(name, n, agree, share, low, high, exact / n if n else None, _kappa(usable))


def wilson(hits: int, n: int) -> tuple[float | None, float | None]:
    """95 % interval of a share (Wilson 1927); (None, None) without observations."""
    if not n:
        return None, None
    share, z2 = hits / n, _Z * _Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def _kappa(pairs: Sequence[tuple[frozenset[str], frozenset[str]]]) -> float | None:
    """Cohen's kappa for one label a side."""
    if not pairs or any(len(a) != 1 or len(b) != 1 for a, b in pairs):
        return None
    n = len(pairs)
    ones, others = Counter(next(iter(a)) for a, _ in pairs), Counter(next(iter(b)) for _, b in pairs)
    observed = sum(a == b for a, b in pairs) / n
    expected = sum(count * others[label] for label, count in ones.items()) / (n * n)
    return (observed - expected) / (1 - expected) if expected < 1 else None
