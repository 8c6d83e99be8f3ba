"""Candidates for a summary: the tasks nearest in meaning and the tasks nearest in words, merged by rank."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from economic_index import embeddings
from economic_index.engines.base import Option
from economic_index.labelling.task_space import TaskSpace

_WORD = re.compile(r"[^\W_]{3,}")
_K1, _B = 1.5, 0.75
#: Reciprocal rank fusion (Cormack et al. 2009): a rank counts 1 / (60 + rank).
_RANK = 60.0
_BLOCK = 256


@dataclass(frozen=True)
class _Words:
    """An inverted index with BM25 weights: rows and weights of the tasks that hold each word."""

    rows: dict[str, NDArray[np.int64]]
    weights: dict[str, NDArray[np.float32]]


class TaskIndex:
    """Finds tasks for texts. Building embeds every task once (cached on disk)."""

    def __init__(self, space: TaskSpace) -> None:
        self.space = space
        self._vectors = embeddings.encode(list(space.texts))
        self._words = _bm25(space.texts)

    def search(self, texts: Sequence[str], count: int) -> list[list[int]]:
        """Rows of the ``count`` best tasks for each text, best first; the same for the same text, always."""
        if not texts:
            return []
        count = min(count, len(self.space.texts))
        vectors = embeddings.encode(list(texts))
        found: list[list[int]] = []
        for start in range(0, len(texts), _BLOCK):
            likeness = vectors[start : start + _BLOCK] @ self._vectors.T
            for row, text in enumerate(texts[start : start + _BLOCK]):
                found.append(self._merge(likeness[row], self._by_words(text), count))
        return found

    def nearest(self, texts: Sequence[str], rows: NDArray[np.int64], count: int) -> list[list[int]]:
        """The ``count`` tasks among ``rows`` that are nearest in meaning to each text."""
        if not texts or not len(rows):
            return [[] for _ in texts]
        likeness = embeddings.encode(list(texts)) @ self._vectors[rows].T
        return [[int(rows[i]) for i in np.argsort(-line, kind="stable")[:count]] for line in likeness]

    def options(self, rows: Sequence[int]) -> list[Option]:
        """The tasks as options."""
        return [self.space.option[self.space.task_ids[row]] for row in rows]

    def _by_words(self, text: str) -> NDArray[np.float32]:
        scores = np.zeros(len(self.space.texts), dtype=np.float32)
        for word in dict.fromkeys(_stems(text)):
            rows = self._words.rows.get(word)
            if rows is not None:
                scores[rows] += self._words.weights[word]
        return scores

    @staticmethod
    def _merge(likeness: NDArray[np.float32], words: NDArray[np.float32], count: int) -> list[int]:
        total = np.zeros(len(likeness))
        for scores in (likeness, words):
            best = np.argsort(-scores, kind="stable")[: 2 * count]
            best = best[scores[best] > 0]
            total[best] += 1.0 / (_RANK + np.arange(len(best)))
        return [int(row) for row in np.argsort(-total, kind="stable")[:count]]


def _stems(text: str) -> list[str]:
    """Words of three letters and more without a plural or verb ending: enough for task statements."""
    return [_stem(word) for word in _WORD.findall(text.lower())]


def _stem(word: str) -> str:
    for ending in ("ings", "ing", "ies", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _bm25(texts: Sequence[str]) -> _Words:
    counts: dict[str, dict[int, int]] = {}
    lengths = np.zeros(len(texts))
    for row, text in enumerate(texts):
        words = _stems(text)
        lengths[row] = len(words)
        for word in words:
            rows = counts.setdefault(word, {})
            rows[row] = rows.get(row, 0) + 1
    average = max(1.0, float(lengths.mean()) if len(lengths) else 1.0)
    found = _Words({}, {})
    for word, per_row in counts.items():
        rows_of = np.fromiter(per_row, dtype=np.int64)
        times = np.fromiter(per_row.values(), dtype=np.float64)
        rarity = np.log(1.0 + (len(texts) - len(rows_of) + 0.5) / (len(rows_of) + 0.5))
        norm = times + _K1 * (1.0 - _B + _B * lengths[rows_of] / average)
        found.rows[word] = rows_of
        found.weights[word] = (rarity * times * (_K1 + 1.0) / norm).astype(np.float32)
    return found
