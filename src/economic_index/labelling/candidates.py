"""Candidates of the ``shortlist`` strategy: the statements nearest by embedding and by words, narrowed by
SOC group.

Three rankings are merged by reciprocal ranks: cosine of the conversation's text, BM25, and the fitted
reader's task probabilities (SOC group first, then statement), without which the list follows the topic of a
message and misses the work done in it. Needs no key and no network, whichever engine then chooses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from economic_index.conversation import Conversation
from economic_index.engines.local.engine import LocalEngine

#: Candidates of a conversation; ``none of these`` comes on top.
CANDIDATES = 40
#: Shares of the three rankings and the usual constant of reciprocal rank fusion.
SHARES = (0.7, 0.2, 0.1)
FUSION = 10.0
_BLOCK = 256


class EmbeddingCandidates:
    """Callable: conversations to task ids, best first, ``count`` each."""

    def __init__(self, reader: LocalEngine, count: int = CANDIDATES) -> None:
        """``reader``: a local engine over the task space in use."""
        self._reader = reader
        self._count = count

    def __call__(self, conversations: Sequence[Conversation]) -> list[list[str]]:
        """Task ids for each conversation, best first."""
        found: list[list[str]] = []
        for start in range(0, len(conversations), _BLOCK):
            found.extend(self._block(conversations[start : start + _BLOCK]))
        return found

    def _block(self, conversations: Sequence[Conversation]) -> list[list[str]]:
        index = self._reader.task_index()
        rankings = self._reader.rankings(conversations)
        depth = min(4 * self._count, len(index.space.task_ids))
        fused = np.zeros((len(conversations), len(index.space.task_ids)), dtype=np.float32)
        for share, scores in zip(SHARES, rankings, strict=True):
            best = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
            values = np.take_along_axis(scores, best, axis=1)
            order = np.lexsort((best, -values), axis=1)
            best = np.take_along_axis(best, order, axis=1)
            gains = np.tile(share / (FUSION + np.arange(depth, dtype=np.float32)), (len(conversations), 1))
            np.put_along_axis(fused, best, np.take_along_axis(fused, best, axis=1) + gains, axis=1)
        kept = np.argsort(-fused, axis=1, kind="stable")[:, : min(self._count, fused.shape[1])]
        return [[index.space.task_ids[column] for column in row] for row in kept]
