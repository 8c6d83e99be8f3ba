"""The tasks a conversation may be assigned to, their SOC major groups, and the hierarchy above them.

Built from rows of the dbt tables ``tasks``, ``task_occupations`` and ``task_hierarchy``; any number of
levels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from economic_index.engines.base import Option
from economic_index.errors import UserError

#: The answer that no task fits. It is an option of a request, never a task id.
NONE = "none"
NONE_OPTION = Option(NONE, "None of these", "None of the descriptions fits what the assistant does.")


@dataclass(frozen=True)
class TaskSpace:
    """Tasks in the order of their ids, with the hierarchy's nodes above them.

    Attributes:
        task_ids: ids as text, which is how they are answered and stored.
        texts: the task statements.
        soc_majors: 2-digit SOC major groups of the occupations that hold each task, sorted, at least one
        each.
        roots: option ids at the top: node ids, or task ids where there is no hierarchy.
        children: option ids below each node; the last inner level has task ids.
        names: name of each node.
        parents: node above each node or task; absent at the top.
    """

    task_ids: tuple[str, ...]
    texts: tuple[str, ...]
    soc_majors: tuple[tuple[str, ...], ...]
    roots: tuple[str, ...]
    children: Mapping[str, tuple[str, ...]]
    names: Mapping[str, str]
    parents: Mapping[str, str]

    @classmethod
    def from_rows(
        cls,
        tasks: Iterable[Mapping[str, Any]],
        task_occupations: Iterable[Mapping[str, Any]],
        task_hierarchy: Iterable[Mapping[str, Any]] = (),
    ) -> TaskSpace:
        """Build from rows with the columns of the dbt tables of the same names.

        ``task_hierarchy`` may be empty (``shortlist`` needs none).

        Raises:
            UserError: no task, a task without an occupation, a hierarchy that leaves a task out or repeats
            one.
        """
        texts = {int(row["task_id"]): str(row["task"]) for row in tasks}
        if not texts:
            raise UserError(
                "The table tasks is empty; check the taxonomy seeds that ECONOMIC_INDEX_TAXONOMY names."
            )
        majors: dict[int, set[str]] = {}
        for row in task_occupations:
            majors.setdefault(int(row["task_id"]), set()).add(str(row["soc_major_code"])[:2])
        order = sorted(texts)
        lacking = sum(task not in majors for task in order)
        if lacking:
            raise UserError(
                f"{lacking:,} tasks have no occupation in the table task_occupations; "
                "rebuild the taxonomy seeds."
            )
        roots, children, names, parents = _hierarchy(task_hierarchy, order)
        return cls(
            tuple(map(str, order)),
            tuple(texts[task] for task in order),
            tuple(tuple(sorted(majors[task])) for task in order),
            roots,
            children,
            names,
            parents,
        )

    @cached_property
    def position(self) -> dict[str, int]:
        """Row of each task id."""
        return {task: row for row, task in enumerate(self.task_ids)}

    @cached_property
    def has_hierarchy(self) -> bool:
        """Are there nodes above the tasks?"""
        return bool(self.children)

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Ids of all inner nodes, sorted."""
        return tuple(sorted(self.names))

    @cached_property
    def option(self) -> dict[str, Option]:
        """One shared option per node and task."""
        options = {node: Option(node, name) for node, name in self.names.items()}
        options.update((t, Option(t, text)) for t, text in zip(self.task_ids, self.texts, strict=True))
        return options

    @cached_property
    def fingerprint(self) -> bytes:
        """32 bytes that stand for everything above: another text, group or tree, another fingerprint."""
        digest = sha256()
        for row in zip(self.task_ids, self.texts, self.soc_majors, strict=True):
            digest.update(repr(row).encode("utf-8", "surrogatepass"))
        for node in self.nodes:
            digest.update(
                repr((node, self.names[node], self.children[node])).encode("utf-8", "surrogatepass")
            )
        return digest.digest()

    def path(self, task_id: str) -> tuple[str, ...]:
        """Node ids from the top to just above the task; empty where there is no hierarchy."""
        path: list[str] = []
        at = self.parents.get(task_id)
        while at is not None:
            path.append(at)
            at = self.parents.get(at)
        return tuple(reversed(path))


_Hierarchy = tuple[tuple[str, ...], dict[str, tuple[str, ...]], dict[str, str], dict[str, str]]


def _hierarchy(rows: Iterable[Mapping[str, Any]], tasks: Sequence[int]) -> _Hierarchy:
    children: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    parents: dict[str, str] = {}
    tops: list[str] = []
    placed: list[int] = []
    for row in rows:
        is_task = row["task_id"] is not None
        own = str(row["task_id"]) if is_task else str(row["node_id"])
        if is_task:
            placed.append(int(row["task_id"]))
        else:
            names[own] = str(row["name"])
        if row["parent_node_id"] is None:
            tops.append(own)
        else:
            parents[own] = str(row["parent_node_id"])
            children.setdefault(parents[own], []).append(own)
    if not names:
        return tuple(map(str, tasks)), {}, {}, {}
    complete = (
        sorted(placed) == list(tasks) and set(children) == set(names) and set(parents.values()) <= set(names)
    )
    if not complete:
        raise UserError(
            "The table task_hierarchy does not hold every task exactly once below a node; "
            "delete the folder taxonomy in the warehouse and build again."
        )
    return (
        tuple(sorted(tops)),
        {node: tuple(sorted(below)) for node, below in children.items()},
        names,
        parents,
    )
