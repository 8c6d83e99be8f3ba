"""Strategies for an engine that reads: one structured call about the conversation, the rest on its summary.

``compact``: screen, privacy-preserving summary and all facets in one call over a cached rubric, then the
paper's descent through the hierarchy on the summary (Appendix B.1: "mapping from summarized,
privacy-preserved conversations"). ``CompactShortlist``: the same call, then one choice among candidates, with
one wider second chance. Two calls instead of six that each read the conversation again.

They fit the rounds of ``labels.label_conversations``: ``facet_rounds`` takes the place of one request per
facet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from economic_index.conversation import Conversation
from economic_index.engines.base import Answer, Field, Option, Request
from economic_index.labelling.retrieval import TaskIndex
from economic_index.labelling.strategies import (
    SCREEN,
    TASK,
    TASK_QUESTION,
    Candidates,
    FieldMaker,
    Labelled,
    Tree,
    best,
    bounded,
    order_of,
    several,
)
from economic_index.labelling.task_space import NONE, NONE_OPTION, TaskSpace
from economic_index.registry import Facet

#: Orders of the options in the cached rubric. Few, so that each prefix is read from the cache; more than one,
#: so that no option always comes first (Appendix B.4 shuffles the skills for every conversation).
RUBRIC_ORDERS = 4
CANDIDATES = 40
WIDER = 95


class CompactFacets:
    """The screen and every facet in one request; nothing is left for a second round."""

    def __init__(self, registry: Mapping[str, Facet]) -> None:
        facets = [facet for name, facet in registry.items() if name != TASK]
        self._orders = [rubric(facets, order) for order in range(RUBRIC_ORDERS)]

    def requests(self, labelled: Sequence[Labelled], scope: str) -> list[tuple[Labelled, Request]]:
        """One request per conversation for scope ``all``, none for ``occupational``."""
        if scope != "all":
            return []
        return [(item, self.request(item.conversation)) for item in labelled]

    def request(self, conversation: Conversation) -> Request:
        """Everything but the task; the order of the options is drawn by the conversation's content."""
        order = order_of(conversation, "rubric") % RUBRIC_ORDERS
        return Request("compact", conversation, self._orders[order])


class Compact(Tree):
    """The compact call and the descent on the summary; in the last step up to ``max_tasks`` tasks."""

    name = "compact"

    def __init__(
        self, space: TaskSpace, fields: FieldMaker, registry: Mapping[str, Facet], max_tasks: int = 1
    ) -> None:
        """``max_tasks``: 1, or up to 3 tasks for a conversation (Appendix B.1). Raises UserError without
        hierarchy."""
        super().__init__(space, fields, max_tasks)
        self.facet_rounds = CompactFacets(registry)

    def requests(self, labelled: Sequence[Labelled], step: int) -> list[tuple[Labelled, Request]]:
        """The tree's requests, on summaries."""
        made = super().requests(labelled, step)
        return [(item, replace(request, summary=summary_of(item))) for item, request in made]


class CompactShortlist:
    """The compact call and one choice among candidates; who finds none of them fitting gets wider ones,
    once."""

    name = "shortlist"

    def __init__(
        self,
        index: TaskIndex,
        registry: Mapping[str, Facet],
        candidates: Candidates | None = None,
        max_tasks: int = 1,
        count: int = CANDIDATES,
    ) -> None:
        """Candidates come from ``index`` by the summary and, where given, from ``candidates`` by the
        conversation.

        ``count`` is their number in the first round.
        """
        self.index = index
        self.facet_rounds = CompactFacets(registry)
        self.max_tasks = bounded(max_tasks)
        self.count = count
        self._by_conversation = candidates

    def requests(self, labelled: Sequence[Labelled], step: int) -> list[tuple[Labelled, Request]]:
        """One request each, and a second one for those whose answer was "none of these"."""
        waiting = [item for item in labelled if TASK not in item.answers]
        made = []
        for item, tasks in zip(waiting, self._ranked(waiting), strict=True):
            is_wider = item.at == "widen"
            offered = tasks[self.count :] if is_wider else tasks[: self.count]
            options = [self.index.space.option[task] for task in offered]
            stage = "widen" if is_wider else "shortlist"
            made.append((item, choice(stage, item, options, self.max_tasks)))
        return made

    def take(self, labelled: Labelled, request: Request, answer: Answer) -> None:
        """Final, unless it is the first "none of these"."""
        answer = best(answer, self.max_tasks)
        is_none = answer.status == "ok" and answer.values[TASK].options == (NONE,)
        if is_none and request.stage == "shortlist" and len(self.index.space.task_ids) > self.count:
            labelled.at = "widen"
        else:
            labelled.answers[TASK] = answer

    def _ranked(self, items: Sequence[Labelled]) -> list[list[str]]:
        """Task ids, best first: by summary and by conversation in turn."""
        ids = self.index.space.task_ids
        depth = self.count + WIDER
        found = [
            [ids[row] for row in rows] for rows in self.index.search([summary_of(i) for i in items], depth)
        ]
        if self._by_conversation is None or not items:
            return found
        others = self._by_conversation([item.conversation for item in items])
        return [_interleaved(one, other)[:depth] for one, other in zip(found, others, strict=True)]


def rubric(facets: Iterable[Facet], order: int) -> tuple[Field, ...]:
    """The facets as fields; options of choices and lists in the ``order``-th of a few fixed orders.

    Ladders (``ordinal``) and yes/no keep theirs: an order of its own is part of their meaning.
    """
    fields = []
    for facet in facets:
        asked = facet.as_field()
        if order and asked.answer_type in ("choice", "multi"):
            asked = replace(asked, options=shuffled(asked.options, f"{order}"))
        fields.append(asked)
    return tuple(fields)


def choice(stage: str, item: Labelled, offered: Sequence[Option], max_tasks: int = 1) -> Request:
    """A choice of the task among ``offered`` and "none" on the summary, shuffled by the conversation's
    content."""
    options = shuffled((*offered, NONE_OPTION), item.conversation.content_hash)
    asked = Field(TASK, TASK_QUESTION, "choice", options)
    fields = (asked if max_tasks == 1 else several(asked, max_tasks),)
    return Request(stage, item.conversation, fields, summary_of(item))


def shuffled(options: Sequence[Option], salt: str) -> tuple[Option, ...]:
    """The options in an order that the salt and their ids decide."""
    return tuple(sorted(options, key=lambda option: sha256(f"{salt}\x1f{option.id}".encode()).digest()))


def summary_of(item: Labelled) -> str:
    """The summary that the compact call wrote."""
    return item.answers[SCREEN].summary or ""


def _interleaved(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """Both lists by turns without repeats; the rest of the longer one at the end."""
    pairs = [task for pair in zip(one, other, strict=False) for task in pair]
    return list(dict.fromkeys([*pairs, *one, *other]))
