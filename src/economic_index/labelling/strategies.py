"""What to ask about a conversation, in rounds. Strategies know nothing of the engine that answers.

Round 1 is the screen with every other facet of scope ``all``; conversations that are not screened out go on
to the facets of scope ``occupational`` and to their task. One request per facet, as in the paper's Appendix
F, so that one bad answer spoils one facet. Options of a choice are shuffled (Appendix B.4) by a hash of the
conversation's content:
every conversation sees one of ``ORDERS`` fixed orders, so that equal requests stay equal, prompt caches can
be shared, and position favours no option.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Protocol

from economic_index.conversation import Conversation
from economic_index.engines.base import Answer, Chosen, Field, Option, Request
from economic_index.errors import UserError
from economic_index.labelling.task_space import NONE, NONE_OPTION, TaskSpace
from economic_index.registry import Facet

SCREEN = "occupational"
TASK = "task"
ORDERS = 16
BASES = 4
MAX_TASKS = 3
TASK_QUESTION = "Which occupational task does the assistant perform in the conversation?"

#: (conversations) -> task ids per conversation, best first: see ``candidates``.
Candidates = Callable[[Sequence[Conversation]], list[list[str]]]


@dataclass
class Labelled:
    """What is known of one conversation so far: an answer per facet, and the way down to its task."""

    conversation: Conversation
    answers: dict[str, Answer] = field(default_factory=dict)
    at: str | None = None
    confidence: float = 1.0

    @property
    def screened_in(self) -> bool:
        """Did the screen say yes?"""
        screen = self.answers.get(SCREEN)
        return screen is not None and screen.status == "ok" and screen.values[SCREEN].options == ("yes",)


class Strategy(Protocol):
    """How a conversation finds its task."""

    name: str

    def requests(self, labelled: Sequence[Labelled], step: int) -> list[tuple[Labelled, Request]]:
        """Requests about the tasks of screened-in conversations; none left to ask ends the rounds."""
        ...

    def take(self, labelled: Labelled, request: Request, answer: Answer) -> None:
        """Note an answer: a step down, or the final one in ``labelled.answers['task']``."""
        ...


class FieldMaker:
    """Fields in a fixed number of shuffled orders, each made once and shared."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, int], Field] = {}

    def facet(self, facet: Facet, conversation: Conversation) -> Field:
        """A facet's field; ordinals, flags and numbers keep their order."""
        if facet.answer_type not in ("choice", "multi"):
            return self._once(facet.name, 0, facet.as_field)
        order = order_of(conversation, facet.name)
        return self._once(facet.name, order, lambda: _shuffled(facet.as_field(), order))

    def task(self, name: str, options: Sequence[Option], conversation: Conversation) -> Field:
        """A question about tasks with these options; ``name`` identifies the option list."""
        order = order_of(conversation, name)
        return self._once(
            f"{TASK}/{name}",
            order,
            lambda: _shuffled(Field(TASK, TASK_QUESTION, "choice", tuple(options)), order),
        )

    def _once(self, name: str, order: int, make: Callable[[], Field]) -> Field:
        made = self._made.get((name, order))
        if made is None:
            made = self._made[name, order] = make()
        return made


def order_of(conversation: Conversation, name: str) -> int:
    """Which of the ``ORDERS`` orders a conversation sees for the question ``name``: a function of its
    content."""
    digest = blake2b(f"{conversation.content_hash}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % ORDERS


def _shuffled(asked: Field, order: int) -> Field:
    options = sorted(asked.options, key=lambda option: option.id)
    random.Random(f"{asked.name}/{order % BASES}").shuffle(options)
    # Turned by an even share of its length, so that over all orders every option stands in front equally
    # often.
    start = order * len(options) // ORDERS
    options = options[start:] + options[:start]
    return Field(asked.name, asked.question, asked.answer_type, tuple(options))


class FacetRounds:
    """The questions that the registry asks, task apart."""

    def __init__(self, registry: Mapping[str, Facet], fields: FieldMaker) -> None:
        """Raises UserError when the registry has no usable screen."""
        screen = registry.get(SCREEN)
        if (
            screen is None
            or {option.id for option in screen.options} != {"yes", "no"}
            or screen.scope != "all"
        ):
            raise UserError(
                f"facets.csv needs the facet {SCREEN!r} with scope all and the options yes and no; "
                "it is the screen."
            )
        self._fields = fields
        self._by_scope: dict[str, list[Facet]] = {"all": [], "occupational": []}
        for facet in registry.values():
            if facet.name != TASK:
                self._by_scope[facet.scope].append(facet)

    def requests(self, labelled: Sequence[Labelled], scope: str) -> list[tuple[Labelled, Request]]:
        """One request per conversation and facet of the scope."""
        return [
            (item, Request(facet.name, item.conversation, (self._fields.facet(facet, item.conversation),)))
            for item in labelled
            for facet in self._by_scope[scope]
        ]


class Tree:
    """The paper's descent (Appendix B.1): top node, then the nodes below it, then the task or none of
    these."""

    name = "tree"

    def __init__(self, space: TaskSpace, fields: FieldMaker, max_tasks: int = 1) -> None:
        """``max_tasks``: 1, or up to 3 tasks below the last node. Raises UserError without a hierarchy."""
        if not space.has_hierarchy:
            raise UserError(
                "The strategy tree needs the table task_hierarchy; build it or use strategy: shortlist."
            )
        self._space = space
        self._fields = fields
        self.max_tasks = bounded(max_tasks)

    def requests(self, labelled: Sequence[Labelled], step: int) -> list[tuple[Labelled, Request]]:
        """One step down for each; a node with a single node below it needs no question."""
        made = []
        for item in labelled:
            if TASK in item.answers:
                continue
            below = self._below(item)
            while len(below) == 1 and below[0] not in self._space.position:
                item.at = below[0]
                below = self._below(item)
            is_base = below[0] in self._space.position
            options = [self._space.option[option] for option in below] + ([NONE_OPTION] if is_base else [])
            asked = self._fields.task(item.at or "top", options, item.conversation)
            if is_base and self.max_tasks > 1:
                asked = several(asked, self.max_tasks)
            stage = "base" if is_base else "top" if item.at is None else "middle"
            made.append((item, Request(stage, item.conversation, (asked,))))
        return made

    def _below(self, item: Labelled) -> tuple[str, ...]:
        return self._space.roots if item.at is None else self._space.children[item.at]

    def take(self, labelled: Labelled, request: Request, answer: Answer) -> None:
        """Go down, or end with a task or several, with none, or with an answer that is no answer."""
        answer = best(answer, self.max_tasks)
        if answer.status != "ok":
            labelled.answers[TASK] = answer
            return
        chosen = answer.values[TASK]
        sure = tuple(labelled.confidence * own for own in chosen.confidences or (1.0,))
        labelled.confidence = sure[0]
        if chosen.options[0] in self._space.children:
            labelled.at = chosen.options[0]
        else:
            labelled.answers[TASK] = Answer("ok", {TASK: Chosen(chosen.options, sure)})


class Shortlist:
    """One choice among the likeliest candidates, or none of these."""

    name = "shortlist"

    def __init__(self, space: TaskSpace, candidates: Candidates, max_tasks: int = 1) -> None:
        """``max_tasks``: 1, or up to 3 tasks for a conversation."""
        self._space = space
        self._candidates = candidates
        self.max_tasks = bounded(max_tasks)

    def requests(self, labelled: Sequence[Labelled], step: int) -> list[tuple[Labelled, Request]]:
        """One request per conversation, in the first step only."""
        waiting = [item for item in labelled if TASK not in item.answers]
        if not waiting:
            return []
        made = []
        for item, ids in zip(waiting, self._candidates([i.conversation for i in waiting]), strict=True):
            options = (*(self._space.option[task] for task in ids), NONE_OPTION)
            order = order_of(item.conversation, "shortlist")
            asked = _shuffled(Field(TASK, TASK_QUESTION, "choice", options), order)
            if self.max_tasks > 1:
                asked = several(asked, self.max_tasks)
            made.append((item, Request("shortlist", item.conversation, (asked,))))
        return made

    def take(self, labelled: Labelled, request: Request, answer: Answer) -> None:
        """Whatever is answered is final."""
        labelled.answers[TASK] = best(answer, self.max_tasks)


def several(asked: Field, max_tasks: int) -> Field:
    """The same options, of which several may be answered."""
    question = f"Which one to {max_tasks} occupational tasks does the assistant perform in the conversation?"
    return replace(asked, question=question, answer_type="multi")


def best(answer: Answer, max_tasks: int) -> Answer:
    """The answer with at most ``max_tasks`` tasks, and "none" only where it stands alone."""
    if answer.status != "ok" or TASK not in answer.values:
        return answer
    chosen = answer.values[TASK]
    options = tuple(option for option in chosen.options if option != NONE)[:max_tasks] or (NONE,)
    if options == chosen.options:
        return answer
    sure = dict(zip(chosen.options, chosen.confidences, strict=False))
    kept = tuple(sure[option] for option in options) if all(option in sure for option in options) else ()
    return replace(answer, values={**answer.values, TASK: Chosen(options, kept)})


def bounded(max_tasks: int) -> int:
    """A number of tasks within 1 and 3."""
    return max(1, min(MAX_TASKS, max_tasks))


def is_none(answer: Answer) -> bool:
    """Is it the answer that no task fits?"""
    return answer.status == "ok" and answer.values[TASK].options == (NONE,)
