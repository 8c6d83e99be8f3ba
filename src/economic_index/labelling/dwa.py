"""Strategy ``dwa``: the compact call, then a detailed work activity of O*NET, then a task of that activity.

After the classifier of later reports: the whole list of activities is a prefix that the
prompt cache keeps, in one of a few fixed orders. A task that hangs on no activity stays reachable: the
nearest of them are among the options of the last call, and who finds no activity gets the candidates of
``CompactShortlist``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from economic_index.engines.base import Answer, Field, Option, Request
from economic_index.errors import UserError
from economic_index.labelling.compact import (
    RUBRIC_ORDERS,
    CompactShortlist,
    choice,
    shuffled,
    summary_of,
)
from economic_index.labelling.retrieval import TaskIndex
from economic_index.labelling.strategies import TASK, Labelled, best, order_of
from economic_index.labelling.task_space import NONE, NONE_OPTION, TaskSpace
from economic_index.registry import Facet

ACTIVITY = "activity"
#: Most tasks of an activity that are offered (the largest activity of 29.1 has 122).
TASKS_OFFERED = 300
LONELY_OFFERED = 10
_FALLBACK = ("shortlist", "widen")


class Activities:
    """Work activities with the tasks that hang on them, from rows of the dbt tables."""

    def __init__(
        self, names: Mapping[str, str], tasks: Mapping[str, Sequence[str]], space: TaskSpace
    ) -> None:
        """``tasks``: task ids by activity id."""
        self.names = dict(names)
        self.tasks = {name: tuple(held) for name, held in tasks.items()}
        placed = {task for held in tasks.values() for task in held}
        #: Rows of the tasks that no activity holds.
        self.lonely = np.array([r for r, t in enumerate(space.task_ids) if t not in placed], dtype=np.int64)

    @classmethod
    def from_rows(
        cls,
        dwa_reference: Iterable[Mapping[str, Any]],
        tasks_to_dwas: Iterable[Mapping[str, Any]],
        task_occupations: Iterable[Mapping[str, Any]],
        space: TaskSpace,
    ) -> Activities:
        """From rows of ``stg_onet__dwa_reference``, ``stg_onet__tasks_to_dwas`` and ``task_occupations``.

        Raises:
            UserError: no activity holds a task.
        """
        task_of = {str(row["onet_task_id"]): str(row["task_id"]) for row in task_occupations}
        below: dict[str, set[str]] = {}
        for link in tasks_to_dwas:
            task = task_of.get(str(link["onet_task_id"]))
            if task in space.position:
                below.setdefault(str(link["dwa_id"]), set()).add(str(task))
        if not below:
            raise UserError(
                "No work activity holds a task; install O*NET's work activities or use strategy: shortlist."
            )
        titles = {str(row["dwa_id"]): str(row["dwa_title"]) for row in dwa_reference}
        names = {name: titles.get(name, name) for name in sorted(below)}
        return cls(names, {name: sorted(below[name], key=int) for name in names}, space)


class WorkActivities(CompactShortlist):
    """Compact call, activity, task: three calls, of which two see only the summary."""

    name = "dwa"

    def __init__(
        self, index: TaskIndex, registry: Mapping[str, Facet], activities: Activities, max_tasks: int = 1
    ) -> None:
        super().__init__(index, registry, max_tasks=max_tasks)
        self.activities = activities
        listed = [Option(name, text) for name, text in activities.names.items()]
        question = "Which activity does the assistant perform?"
        self._fields = [
            (Field(ACTIVITY, question, "choice", (*shuffled(listed, f"{order}"), NONE_OPTION)),)
            for order in range(RUBRIC_ORDERS)
        ]

    def requests(self, labelled: Sequence[Labelled], step: int) -> list[tuple[Labelled, Request]]:
        """The activity first, then its tasks; the shortlist for those whom no activity or task of it fits."""
        waiting = [item for item in labelled if TASK not in item.answers]
        first = [item for item in waiting if item.at is None]
        inside = [item for item in waiting if item.at is not None and item.at not in _FALLBACK]
        made = [(item, self._activity(item)) for item in first]
        lonely = self.index.nearest([summary_of(i) for i in inside], self.activities.lonely, LONELY_OFFERED)
        for item, others in zip(inside, lonely, strict=True):
            held = self.activities.tasks[str(item.at)][:TASKS_OFFERED]
            tasks = dict.fromkeys([*held, *(self.index.space.task_ids[row] for row in others)])
            options = [self.index.space.option[task] for task in tasks]
            made.append((item, choice("dwa_task", item, options, self.max_tasks)))
        return made + super().requests([item for item in waiting if item.at in _FALLBACK], step)

    def take(self, labelled: Labelled, request: Request, answer: Answer) -> None:
        """A step on, or the end."""
        if request.stage in _FALLBACK or answer.status != "ok":
            super().take(labelled, request, answer)
        elif request.stage == "dwa":
            chosen = answer.values[ACTIVITY].options[0]
            labelled.at = "shortlist" if chosen == NONE else chosen
        elif best(answer, self.max_tasks).values[TASK].options == (NONE,):
            labelled.at = "shortlist"
        else:
            labelled.answers[TASK] = best(answer, self.max_tasks)

    def _activity(self, item: Labelled) -> Request:
        order = order_of(item.conversation, ACTIVITY) % RUBRIC_ORDERS
        return Request("dwa", item.conversation, self._fields[order], summary_of(item))
