"""How the fake server misbehaves: a share of the requests for each kind, drawn by content, so that a run
repeats."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Kinds, and on how many attempts of one question each strikes. ``None``: on every attempt.
ATTEMPTS: dict[str, int | None] = {
    "rate_limited": 1,  # 429 with Retry-After
    "rate_limited_bare": 1,  # 429 without
    "internal_error": 1,  # 500
    "overloaded": 1,  # 529
    "dropped": 1,  # the connection closes without an answer
    "drip": 1,  # the answer arrives a few bytes at a time
    "garbled": 1,  # status 200, body is not JSON
    "truncated": 1,  # the model's JSON ends in the middle
    "off_list": 1,  # an answer that was not offered
    "off_list_always": None,
    "refusal": None,
    "max_tokens": 1,
    "max_tokens_always": None,
    "bad_request": None,  # a permanent 400 for this conversation
    "context_window": None,
    # Batches only: what becomes of one item.
    "missing": 1,
    "duplicate": 1,
    "errored": 1,
    "expired": 1,
}


@dataclass
class Mischief:
    """Shares of questions by kind (they add up to at most 1), drawn from ``seed`` and what is asked.

    The identity of a question is its system text, first message and schema: a retry, a repair turn and a
    larger ``max_tokens`` are attempts of the same question. A mark goes before the draw; one that does not
    strike on every attempt strikes the first question only that holds its text.
    """

    shares: dict[str, float] = field(default_factory=dict)
    seed: str = "mischief"
    #: Text in a question, and the kind that strikes it: for faults that are to happen exactly once.
    marked: Mapping[str, str] = field(default_factory=dict)
    attempts: Counter[bytes] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._used: set[str] = set()
        unknown = sorted({*self.shares, *self.marked.values()} - set(ATTEMPTS))
        if unknown:
            raise ValueError(f"unknown kind of mischief: {unknown[0]}")
        if sum(self.shares.values()) > 1.0 + 1e-9:
            raise ValueError("the shares add up to more than 1")

    def strike(self, body: dict[str, Any]) -> str | None:
        """The kind that strikes this attempt, or None."""
        if not self.shares and not self.marked:
            return None
        for text, marked in self.marked.items():
            if text not in self._used and text in str(body["messages"][0]["content"]):
                if ATTEMPTS[marked] is not None:
                    self._used.add(text)
                self.struck[marked] += 1
                return marked
        name = identity(body)
        self.attempts[name] += 1
        kind = self._kind(name)
        if kind is None:
            return None
        limit = ATTEMPTS[kind]
        if limit is not None and self.attempts[name] > limit:
            return None
        self.struck[kind] += 1
        return kind

    def _kind(self, name: bytes) -> str | None:
        raw = hashlib.sha256(self.seed.encode() + name).digest()
        point = int.from_bytes(raw[:8], "big") / 2**64
        for kind, share in self.shares.items():
            if point < share:
                return kind
            point -= share
        return None


def identity(body: dict[str, Any]) -> bytes:
    """Digest of what is asked, the same for every attempt."""
    asked = (
        body.get("system"),
        body["messages"][0],
        (body.get("output_config") or {}).get("format"),
        body["model"],
    )
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).digest()
