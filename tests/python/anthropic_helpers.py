"""Shared by the tests of the anthropic engine: conversations, fields, and an engine on a fake server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from economic_index.conversation import Conversation, Message
from economic_index.engines.anthropic import AnthropicEngine, make_settings
from economic_index.engines.anthropic import Settings as EngineSettings
from economic_index.engines.base import Field, Option, Request
from economic_index.testing.fake_messages import FakeServer, Mischief, Oracle, Settings

MODEL = "claude-haiku-4-5"
FLAG = Field("occupational", "Work?", "flag", (Option("yes", "yes"), Option("no", "no")))
PATTERN = Field(
    "collaboration_pattern",
    "How do they work together?",
    "choice",
    tuple(Option(name, name, f"Is {name}.") for name in ("directive", "learning", "none")),
)
SKILL = Field(
    "skill", "Which skills?", "multi", tuple(Option(n, n) for n in ("writing", "science", "speaking"))
)
NUMBER = Field("hours", "How many hours?", "number", ())
FAST = {"backoff": 0.01, "longest_backoff": 0.05, "poll": 0.02, "longest_poll": 0.1}


def conversation(number: int, text: str | None = None, turns: int = 1) -> Conversation:
    said = (
        text
        if text is not None
        else f"Please help me with matter {number}: a letter about topic {number * 7}."
    )
    messages = [Message("user", said), Message("assistant", "Here it is.")]
    for turn in range(1, turns):
        messages += [Message("user", f"And then {turn}?"), Message("assistant", f"Then {turn}.")]
    return Conversation(f"c{number}", tuple(messages))


def tasks(count: int, prefix: str = "Do the work called") -> Field:
    return Field(
        "task", "Which task?", "choice", tuple(Option(str(900 + i), f"{prefix} {i}.") for i in range(count))
    )


def screens(count: int) -> list[Request]:
    return [Request("screen", conversation(i), (FLAG,)) for i in range(count)]


def engine_settings(tmp: Path, mode: str = "direct", **changes: Any) -> EngineSettings:
    limits = {name: changes.pop(name, None) for name in ("max_cost", "max_calls")}
    models = changes.pop("models", {"default": MODEL})
    made = make_settings(models, mode, state=tmp / "batches.sqlite", **limits)
    return replace(made, **{**FAST, **changes})


@contextmanager
def serving(
    monkeypatch: pytest.MonkeyPatch,
    oracle: Oracle | None = None,
    mischief: Mapping[str, float] | None = None,
    **settings: Any,
) -> Iterator[FakeServer]:
    """A fake server that the environment points at."""
    server = FakeServer(oracle, Settings(**settings), Mischief(dict(mischief or {})))
    with server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
        yield server


@contextmanager
def engine_on(tmp: Path, mode: str = "direct", **changes: Any) -> Iterator[AnthropicEngine]:
    engine = AnthropicEngine(engine_settings(tmp, mode, **changes))
    try:
        yield engine
    finally:
        engine.close()
