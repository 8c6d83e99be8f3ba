"""From conversations to probabilities: embed once, count marks, apply the heads. All vectorised over a
block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from economic_index import embeddings
from economic_index.conversation import Conversation
from economic_index.engines.local.artefact import Artefact, Columns, dense_columns
from economic_index.engines.local.features import (
    CUES,
    HABITS,
    HASH_BITS,
    STYLE_BITS,
    hashed,
    marks,
    reading_text,
    style_tokens,
    technical,
    topic_tokens,
)

Array = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Array]


@dataclass(frozen=True)
class RawFeatures:
    """Features before any fitted scaling, one row per conversation."""

    text: Array
    topic: object
    style: object
    marks: Array


def raw_features(conversations: Sequence[Conversation], encode: Encode | None = None) -> RawFeatures:
    """Read ``conversations``: embeddings (n, 384), hashed words, counted marks (n, len(MARK_NAMES))."""
    encode = encode or embeddings.encode
    return RawFeatures(
        encode([reading_text(c) for c in conversations]),
        hashed([topic_tokens(c) for c in conversations], HASH_BITS),
        hashed([style_tokens(c) for c in conversations], STYLE_BITS),
        np.vstack([marks(c) for c in conversations]),
    )


def columns(raw: RawFeatures, artefact: Artefact) -> Columns:
    """The blocks that heads name: ``text``, ``topic``, ``style``, ``marks``, ``habits``, ``cues`` (see
    features)."""
    dense = dense_columns(raw.marks, artefact)
    return {
        "text": raw.text,
        "topic": raw.topic,  # type: ignore[dict-item]
        "style": raw.style,  # type: ignore[dict-item]
        "marks": dense,
        "technical": technical(raw.marks),
        "habits": dense[:, HABITS],
        "cues": dense[:, CUES],
    }


@dataclass(frozen=True)
class Reading:
    """What is known of a block of conversations, row by row.

    ``heads``: probabilities (n, classes) by head. ``raw`` and ``task``: unit vectors (n, 384) of what was
    written and of the task that is probably done.
    """

    heads: dict[str, Array]
    raw: Array
    task: Array


def read(conversations: Sequence[Conversation], artefact: Artefact, encode: Encode | None = None) -> Reading:
    """Apply the fitted model to a block of conversations."""
    raw = raw_features(conversations, encode)
    blocks = columns(raw, artefact)
    heads = {name: head.probabilities(blocks) for name, head in artefact.heads.items()}
    return Reading(heads, raw.text, translate(raw.text, artefact.translation))


def translate(vectors: Array, translation: Array) -> Array:
    """Unit vectors of the probable task sentences, shape as given."""
    moved = vectors @ translation
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(moved / np.maximum(norms, 1e-9), dtype=np.float32)
