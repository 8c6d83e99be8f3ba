"""Phrases of the sample conversations, from ``phrases.json``.

Written for the sample; no classifier is trained on them. Braces are slots: ``{n}``, ``{firm}``, ``{city}``
and so on are filled at random, ``{vp}`` is a request as a verb phrase ("write a letter to ..."), ``{Vp}`` the
same with a capital.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

#: Order of the weights in ``Family.patterns``.
PATTERNS: Final = ("directive", "feedback_loop", "task_iteration", "learning", "validation", "none")


@dataclass(frozen=True)
class Family:
    """What is said around one kind of work.

    ``reply`` and ``more`` are the assistant's, first and later. ``refine`` and ``back`` are what people say
    when they work on it together or return with what happened; ``draft`` is what they show to be checked.
    ``patterns`` are the shares of ``PATTERNS``.
    """

    reply: tuple[str, ...]
    more: tuple[str, ...]
    refine: tuple[str, ...]
    back: tuple[str, ...]
    draft: tuple[str, ...]
    patterns: tuple[float, ...]


@dataclass(frozen=True)
class Foreign:
    """A request in another language than English."""

    language: str
    task_id: int
    text: str
    reply: str
    pattern: str


def _load() -> dict[str, Any]:
    return json.loads((files("economic_index.sample") / "phrases.json").read_text(encoding="utf-8"))


_PHRASES: Final = _load()


def _pool(name: str) -> tuple[str, ...]:
    return tuple(_PHRASES[name])


SLOTS: Final[dict[str, tuple[str, ...]]] = {name: tuple(values) for name, values in _PHRASES["slots"].items()}
#: First verbs of a task text and what people say instead.
VERBS: Final[dict[str, tuple[str, ...]]] = {verb: tuple(other) for verb, other in _PHRASES["verbs"].items()}
#: Words of task texts and plainer ones.
WORDS: Final[dict[str, tuple[str, ...]]] = {word: tuple(other) for word, other in _PHRASES["words"].items()}
FAMILIES: Final[dict[str, Family]] = {
    name: Family(**{part: tuple(values) for part, values in parts.items()})
    for name, parts in _PHRASES["families"].items()
}
#: Family and skills by work activity of the sample taxonomy, detailed (D) or intermediate (I).
ACTIVITIES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    activity: (entry["family"], tuple(entry["skills"])) for activity, entry in _PHRASES["activities"].items()
}
OTHER_LANGUAGES: Final = tuple(Foreign(**entry) for entry in _PHRASES["other_languages"])

#: Openings by pattern. The first of ``DIRECTIVE`` is the bare request; ``LEARN_WHAT`` is for requests that
#: are explanations anyway.
DIRECTIVE: Final = _pool("directive")
LEARN_HOW: Final = _pool("learn_how")
LEARN_WHAT: Final = _pool("learn_what")
VALIDATE: Final = _pool("validate")
NO_PATTERN: Final = _pool("no_pattern")

TROUBLE: Final = _pool("trouble")
ASK_AGAIN: Final = _pool("ask_again")
THANKS: Final = _pool("thanks")
DETAILS: Final = _pool("details")
WORK_CUES: Final = _pool("work_cues")
COURSEWORK_CUES: Final = _pool("coursework_cues")
PERSONAL_CUES: Final = _pool("personal_cues")

CHATTER: Final = _pool("chatter")
CHATTER_REPLY: Final = _pool("chatter_reply")
CHATTER_MORE: Final = _pool("chatter_more")
#: Real work that no task of the sample covers.
UNCOVERED: Final = _pool("uncovered")
#: Messages that try to confuse a reader of logs: with nothing to do in them, and added to an honest request.
HOSTILE_JUNK: Final = _pool("hostile_junk")
HOSTILE_SUFFIX: Final = _pool("hostile_suffix")
#: What a safety system flags; mild on purpose.
FLAGGED: Final = _pool("flagged")
