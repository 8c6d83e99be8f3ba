"""Token counts and the prompt cache of the fake server.

The count is a stand-in for a tokenizer, close to what English costs (a word of up to six letters is one
token, punctuation is its own, a character outside ASCII is one). It is the server's own: the engine must not
import it, or a test that compares the engine's estimate with the server's bill would compare a thing with
itself.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

_PIECES = re.compile(r"[A-Za-z]+|[0-9]+|[^\sA-Za-z0-9]")

#: Shortest prefix that the API caches, in tokens, by start of the model name (longest match wins).
MINIMUM_PREFIX = {
    "claude-haiku-4-5": 4096,
    "claude-opus-4-5": 4096,
    "claude-opus-4-6": 4096,
    "claude-opus-4-7": 2048,
    "claude-haiku-5-5": 512,
    "claude-opus-5": 512,
    "claude-fable-5": 512,
    "claude-mythos-5": 512,
}
DEFAULT_MINIMUM_PREFIX = 1024


def minimum_prefix(model: str) -> int:
    """Tokens a prefix needs before it is cached for ``model``."""
    known = [name for name in MINIMUM_PREFIX if model.startswith(name)]
    return MINIMUM_PREFIX[max(known, key=len)] if known else DEFAULT_MINIMUM_PREFIX


@lru_cache(maxsize=4096)
def count_text(text: str) -> int:
    """Tokens of a text by the rule above."""
    total = 0
    for piece in _PIECES.findall(text):
        first = piece[0]
        if first.isascii() and first.isalpha():
            total += 1 + (len(piece) - 1) // 6
        elif first.isascii() and first.isdigit():
            total += 1 + (len(piece) - 1) // 3
        else:
            total += 1
    return total


@dataclass(frozen=True)
class Block:
    """One block of a prompt in the order in which it is cached: system first, then messages."""

    text: str
    ttl: str | None


def blocks_of(body: dict[str, Any]) -> list[Block]:
    """Blocks of a request, the schema of the structured output first (it changes the whole prefix)."""
    blocks: list[Block] = []
    schema = (body.get("output_config") or {}).get("format")
    if schema:
        blocks.append(Block(json.dumps(schema, sort_keys=False), None))
    blocks += _content(body.get("system") or "", "system")
    for message in body["messages"]:
        blocks += _content(message["content"], message["role"])
    return blocks


def _content(content: str | list[dict[str, Any]], role: str) -> list[Block]:
    if isinstance(content, str):
        return [Block(f"{role}: {content}", None)] if content else []
    out = []
    for block in content:
        control = block.get("cache_control")
        out.append(
            Block(f"{role}: {block.get('text', '')}", (control or {}).get("ttl", "5m") if control else None)
        )
    return out


@dataclass
class Bill:
    """Input tokens of one request, split as the API's ``usage`` splits them."""

    uncached: int
    read: int
    written_5m: int
    written_1h: int


@dataclass
class PromptCache:
    """Prefixes by digest with the time they expire; a prefix is readable only once its writer has begun to
    answer."""

    clock: Callable[[], float] = time.monotonic
    expires: dict[bytes, float] = field(default_factory=dict)

    def bill(self, body: dict[str, Any]) -> tuple[Bill, list[tuple[bytes, float]]]:
        """Split the request's tokens, and return the entries that its answer will make readable."""
        digest, total = hashlib.sha256(body["model"].encode()), 0
        minimum = minimum_prefix(body["model"])
        marks: list[tuple[bytes, int, str]] = []
        for block in blocks_of(body):
            digest.update(len(block.text).to_bytes(8, "big") + block.text.encode("utf-8", "surrogatepass"))
            total += count_text(block.text)
            if block.ttl and total >= minimum:
                marks.append((digest.digest(), total, block.ttl))
        now, read = self.clock(), 0
        for key, size, _ in marks:
            if self.expires.get(key, 0.0) > now:
                read = size
        bill = Bill(total - (marks[-1][1] if marks else 0), read, 0, 0)
        entries, start = [], read
        for key, size, ttl in marks:
            seconds = 3600.0 if ttl == "1h" else 300.0
            entries.append((key, seconds))
            if size > start:
                if ttl == "1h":
                    bill.written_1h += size - start
                else:
                    bill.written_5m += size - start
                start = size
        return bill, entries

    def store(self, entries: list[tuple[bytes, float]]) -> None:
        """Make prefixes readable, or longer readable, from now on."""
        now = self.clock()
        for key, seconds in entries:
            self.expires[key] = max(self.expires.get(key, 0.0), now + seconds)
