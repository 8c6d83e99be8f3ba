"""Strategies by name for engines that read (``anthropic``, and its answers replayed)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from economic_index.errors import UserError
from economic_index.labelling.compact import Compact, CompactShortlist
from economic_index.labelling.strategies import FieldMaker, Strategy, Tree
from economic_index.labelling.task_space import TaskSpace
from economic_index.registry import Facet

READING_STRATEGIES = ("tree", "compact", "shortlist", "dwa")


def reading_strategy(
    name: str,
    space: TaskSpace,
    fields: FieldMaker,
    registry: Mapping[str, Facet],
    *,
    max_tasks: int = 1,
    dwa_reference: Iterable[Mapping[str, Any]] = (),
    tasks_to_dwas: Iterable[Mapping[str, Any]] = (),
    task_occupations: Iterable[Mapping[str, Any]] = (),
) -> Strategy:
    """The strategy of this name.

    Args:
        name: tree, compact, shortlist or dwa.
        space, fields, registry: as for ``label_conversations``.
        max_tasks: 1, or up to 3 tasks for a conversation.
        dwa_reference, tasks_to_dwas, task_occupations: rows of the dbt tables, needed by dwa alone.

    Raises:
        UserError: an unknown name, a hierarchy or work activities that are missing.
    """
    if name == "tree":
        return Tree(space, fields, max_tasks)
    if name == "compact":
        return Compact(space, fields, registry, max_tasks)
    if name not in READING_STRATEGIES:
        raise UserError(f"vars.strategy is {name!r}; use one of {', '.join(READING_STRATEGIES)}.")
    from economic_index.labelling.retrieval import TaskIndex

    index = TaskIndex(space)
    if name == "shortlist":
        return CompactShortlist(index, registry, max_tasks=max_tasks)
    from economic_index.labelling.dwa import Activities, WorkActivities

    activities = Activities.from_rows(dwa_reference, tasks_to_dwas, task_occupations, space)
    return WorkActivities(index, registry, activities, max_tasks)
