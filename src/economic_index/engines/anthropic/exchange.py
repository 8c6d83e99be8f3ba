"""One question from first prompt to answer, as steps without I/O, so that direct calls and batches share
them.

``Exchange.first()`` is the call to make; ``next(reply)`` is either another call (more room after
``max_tokens``, or one repair of an invalid answer) or the final ``Answer``. A refusal, a full context window
and an unknown stop are outcomes, not errors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from economic_index.engines.anthropic.money import add_usage
from economic_index.engines.anthropic.render import Parsed, Rendered, parse
from economic_index.engines.base import Answer, Usage

MORE_ROOM = 4
MAX_OUTPUT_TOKENS = 32_000
NO_USAGE = Usage()
_ECHO = 2_000
_NORMAL_STOPS = ("end_turn", "stop_sequence", None)
_PROBLEMS = {
    "not_json": "it was not a JSON object of the form asked for",
    "missing_field": "a field was missing",
    "option_not_offered": "it named something that is not among the options offered",
    "not_a_number": "a number was missing",
    "no_summary": "the summary was missing",
}


@dataclass(frozen=True)
class Call:
    """One call to make: the turns and the room for the answer. ``turn`` counts the calls of a question from
    0."""

    messages: tuple[dict[str, Any], ...]
    max_tokens: int
    turn: int = 0


@dataclass(frozen=True)
class Reply:
    """What came back: the model's text with its stop reason, or ``failure`` with a reason code."""

    text: str = ""
    stop: str | None = None
    usage: Usage = NO_USAGE
    failure: str | None = None


class Exchange:
    """The course of one question."""

    def __init__(self, rendered: Rendered) -> None:
        self.rendered = rendered
        self.usage = Usage()
        #: What the latest reply alone cost: that of the call which brought the answer, in the end.
        self.latest = Usage()
        self._repaired = False
        self._enlarged = False

    def first(self) -> Call:
        """The opening call."""
        return Call(({"role": "user", "content": self.rendered.user},), self.rendered.max_tokens)

    def next(self, call: Call, reply: Reply) -> Call | Answer:
        """What follows from ``reply`` to ``call``."""
        self.usage = add_usage(self.usage, reply.usage)
        self.latest = reply.usage
        if reply.failure is not None:
            return Answer("failed", reason=reply.failure, usage=self.usage)
        if reply.stop == "refusal":
            return Answer("refused", reason="refusal", usage=self.usage)
        if reply.stop == "model_context_window_exceeded":
            return Answer("failed", reason="too_long", usage=self.usage)
        if reply.stop == "max_tokens":
            if self._enlarged:
                return Answer("invalid", reason="max_tokens", usage=self.usage)
            self._enlarged = True
            return replace(
                call, max_tokens=min(MORE_ROOM * call.max_tokens, MAX_OUTPUT_TOKENS), turn=call.turn + 1
            )
        if reply.stop not in _NORMAL_STOPS:
            return Answer("invalid", reason=f"stop_{reply.stop}"[:40], usage=self.usage)
        parsed = parse(self.rendered, reply.text)
        if parsed.problem is None:
            return Answer("ok", parsed.values, summary=parsed.summary, usage=self.usage)
        return self._repair(call, reply, parsed)

    def _repair(self, call: Call, reply: Reply, parsed: Parsed) -> Call | Answer:
        if self._repaired:
            return Answer("invalid", reason=parsed.problem, usage=self.usage)
        self._repaired = True
        said = reply.text.strip()[:_ECHO] or "(no text)"
        why = _PROBLEMS.get(parsed.problem or "", "it was not valid")
        again = (
            f"This answer cannot be used: {why}. Answer again, with the offered values exactly as written."
        )
        messages = (
            *call.messages[:1],
            {"role": "assistant", "content": said},
            {"role": "user", "content": again},
        )
        return replace(call, messages=messages, turn=call.turn + 1)
