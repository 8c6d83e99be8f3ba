"""What the local engine reads of a conversation: one text for the encoder, hashed words, and counted marks.

Everything here is a function of the conversation alone: no fitted state, no randomness. The version below is part of
the artefact's recipe; change it whenever a feature changes, so that an old artefact is refused, not misread.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from economic_index.conversation import Conversation

FEATURES_VERSION = 1

#: Word pieces given to the encoder, whose limit is 256: two thirds of a long text from its head, one third from its
#: tail, where a request usually stands when something long is pasted.
PIECES = 224
FIRST_PIECES = 130
#: Characters that the hashed words and the counted marks look at, per conversation.
CHARACTERS = 6_000
HASH_BITS = 13

_SPACE = re.compile(r"\s+")


def _prefix_length(text: str, budget: float) -> int:
    """Number of leading characters that make about ``budget`` word pieces (4 ASCII characters a piece, else 0.9)."""
    if len(text) <= budget:
        return len(text)
    if text.isascii():
        return min(len(text), int(budget * 4))
    spent = 0.0
    for position, character in enumerate(text):
        spent += 0.25 if character < "\x80" else 0.9
        if spent > budget:
            return position
    return len(text)


def cut(text: str, pieces: float) -> str:
    """``text`` with white space collapsed, cut to about ``pieces`` word pieces: head and tail, the middle left out."""
    # Collapsing costs time on a pasted book, of which only the ends are read anyway.
    reach = int(pieces * 8)
    head, tail = _SPACE.sub(" ", text[:reach]).strip(), _SPACE.sub(" ", text[-reach:]).strip()
    if len(text) <= reach and _prefix_length(head, pieces) == len(head):
        return head
    first = head[: _prefix_length(head, pieces * 2 / 3)]
    backwards = tail[::-1]
    return f"{first} ... {backwards[: _prefix_length(backwards, pieces / 3)][::-1]}"


def user_turns(conversation: Conversation) -> list[str]:
    """The contents of the user's messages, in order."""
    return [message.content for message in conversation.messages if message.role == "user"]


def reading_text(conversation: Conversation) -> str:
    """The one text of a conversation that the encoder reads: the user's turns, the first one with the larger part."""
    turns = user_turns(conversation)
    if len(turns) == 1:
        return cut(turns[0], PIECES)
    return f"{cut(turns[0], FIRST_PIECES)} | {cut(' | '.join(turns[1:]), PIECES - FIRST_PIECES)}"
