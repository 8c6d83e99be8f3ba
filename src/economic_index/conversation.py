"""The unit of everything: one conversation between a person and an assistant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b


@dataclass(frozen=True)
class Message:
    """One turn; ``role`` is ``user`` or ``assistant``."""

    role: str
    content: str


@dataclass(frozen=True)
class Conversation:
    """An admitted conversation: at least one user message, valid roles (DESIGN section 4)."""

    conversation_id: str
    messages: tuple[Message, ...]

    @cached_property
    def content_hash(self) -> str:
        """Hex digest (32 characters) of the messages alone: same messages, same hash, whoever wrote them."""
        return hash_messages([(m.role, m.content) for m in self.messages])


def hash_messages(messages: Sequence[tuple[str, str]]) -> str:
    """Digest of (role, content) pairs; 32 hex characters. Lengths are part of it, so turns cannot run together."""
    digest = blake2b(digest_size=16)
    for role, content in messages:
        for part in (role, content):
            raw = part.encode("utf-8", "surrogatepass")
            digest.update(len(raw).to_bytes(8, "big"))
            digest.update(raw)
    return digest.hexdigest()
