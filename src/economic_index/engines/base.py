"""The seam between what to ask and how to ask it.

A strategy (``economic_index.labelling``) makes ``Request`` objects in rounds; an engine answers them in any order.
Neither knows the other: an engine may embed and score (``local``), call a language model (``anthropic``) or look the
answer up (``replay``). Every answer passes through the ledger, which is keyed by ``Engine.key``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Literal, Protocol

from economic_index.conversation import Conversation

AnswerType = Literal["choice", "multi", "ordinal", "number", "flag"]
#: ``ok``: every field holds options that were offered. ``invalid``: it does not, also after one repair.
#: ``refused``: the model declined. ``failed``: a technical end (retries used up, budget, too long).
AnswerStatus = Literal["ok", "invalid", "refused", "failed"]


@dataclass(frozen=True)
class Option:
    """One thing that may be answered. ``id`` is what is stored; ``text`` is what a judge reads."""

    id: str
    text: str
    description: str = ""


@dataclass(frozen=True)
class Field:
    """One question of a request: a facet, or the task at one level of the hierarchy."""

    name: str
    question: str
    answer_type: AnswerType
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Request:
    """Questions about ONE conversation, asked together. ``stage`` names the prompt file and the model variable.

    ``summary`` replaces the transcript where a strategy works on a privacy-preserving summary.
    """

    stage: str
    conversation: Conversation
    fields: tuple[Field, ...]
    summary: str | None = None


@dataclass(frozen=True)
class Chosen:
    """What was chosen for one field: option ids (one, or several for ``multi``) or a number, and a confidence in 0..1."""

    options: tuple[str, ...] = ()
    confidences: tuple[float, ...] = ()
    number: float | None = None


@dataclass(frozen=True)
class Usage:
    """What one answer cost, retries included."""

    calls: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class Bill:
    """What the one call cost that brought the answer: the same figures whenever and however often it is asked.

    ``Usage`` counts retries, repairs and who happened to fill the prompt cache; an interrupted run differs there
    from an undisturbed one. A bill does not, so it may be summed into a release. ``cached_tokens`` are those that
    a prompt cache serves, whether they were read or written this time. ``cost_nanousd``: billionths of a US
    dollar, whole so that sums do not depend on their order; None where the model has no price.
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_nanousd: int | None = None


@dataclass(frozen=True)
class Answer:
    """The outcome of one request. ``values`` has an entry for every field when ``status`` is ``ok``.

    ``bill`` is None for an engine that costs nothing, and for answers that older versions stored.
    """

    status: AnswerStatus
    values: Mapping[str, Chosen] = field(default_factory=dict)
    reason: str | None = None
    summary: str | None = None
    usage: Usage = field(default_factory=Usage)
    bill: Bill | None = None


class Engine(Protocol):
    """How to ask. ``answers`` yields (position in ``requests``, answer) as they arrive, each position exactly once."""

    name: str

    def key(self, request: Request) -> bytes:
        """Content address of the answer: engine, model, everything that is asked and how; 32 bytes, no text in it."""
        ...

    def answers(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Answer all requests, in any order, without raising for a single one."""
        ...

    def identity(self) -> Mapping[str, str]:
        """What a release manifest says about the engine: name, model per stage, version, prompt or artefact hashes."""
        ...


def check(request: Request, answer: Answer) -> Answer:
    """Turn an answer that is not among what was offered into ``invalid``: never the first option, never the nearest."""
    if answer.status != "ok":
        return answer
    for asked in request.fields:
        chosen = answer.values.get(asked.name)
        if chosen is None:
            return _spoilt(answer, "missing_field")
        if asked.answer_type == "number":
            if chosen.options or chosen.number is None or not isfinite(chosen.number):
                return _spoilt(answer, "not_a_number")
            continue
        offered = {option.id for option in asked.options}
        if asked.answer_type != "multi" and len(chosen.options) != 1:
            return _spoilt(answer, "not_one_option")
        if len(set(chosen.options)) != len(chosen.options) or not offered.issuperset(chosen.options):
            return _spoilt(answer, "option_not_offered")
    return answer


def _spoilt(answer: Answer, reason: str) -> Answer:
    return replace(answer, status="invalid", values={}, reason=reason, summary=None)
