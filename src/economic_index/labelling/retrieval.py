"""Candidates for a summary: the tasks nearest in meaning and the tasks nearest in words, merged by rank.

Only the opening of a summary goes through the sentence encoder, whose cost is by the word: its first words with a
meaning of their own, because the prompt asks for the task itself to come first, and the rest, in vectors, draws the
meaning away from it (docs/engine.md, "Candidates"). The words are those of the whole summary.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from economic_index import embeddings
from economic_index.engines.base import Option
from economic_index.labelling.task_space import TaskSpace

_WORD = re.compile(r"[^\W_]{3,}")
_PUNCTUATION = ".,;:!?\"'()[]"
_K1, _B = 1.5, 0.75
#: Reciprocal rank fusion (Cormack et al. 2009): a rank counts 1 / (20 + rank), one by words a fifth less than one by
#: meaning.
_RANK = 20.0
_SHARES = (1.0, 0.8)
_BLOCK = 256
#: Ranks are decided in double precision among so many more than are wanted: the single-precision products
#: that find them depend in their last digits on which other texts were multiplied with them.
_SPARE = 50
#: Word pieces of a text that its vector is made of, function words apart.
OPENING = 6
#: Words that name no task. English, like the statements; in another language nothing is left out.
_SAYS_NOTHING = """
a an the this that these those my your our his her its their i you he she it we they me him us them and or but
if so as of to in on at by for from with about into over under after before between through during is am are was
were be been being do does did have has had can could will would shall should may might must please hi hello hey
thanks thank need want like help get got there here what which who whom how when where why not no just some any
all very too also than then user person asks asked wants
"""
_FUNCTION_WORDS = frozenset(_SAYS_NOTHING.split())


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
        vectors = embeddings.encode([opening(text) for text in texts], threads=1, precision="int8")
        found: list[list[int]] = []
        for start in range(0, len(texts), _BLOCK):
            block = vectors[start : start + _BLOCK]
            likeness = block @ self._vectors.T
            for row, text in enumerate(texts[start : start + _BLOCK]):
                near = self._near(likeness[row], block[row], 2 * count)
                named = _best(self._by_words(text), 2 * count)
                found.append(_merged(near, named, count))
        return found

    def nearest(self, texts: Sequence[str], rows: NDArray[np.int64], count: int) -> list[list[int]]:
        """The ``count`` tasks among ``rows`` that are nearest in meaning to each text."""
        if not texts or not len(rows):
            return [[] for _ in texts]
        vectors = embeddings.encode([opening(text) for text in texts], threads=1, precision="int8")
        likeness = vectors @ self._vectors[rows].T
        return [
            self._near(line, vector, count, rows).tolist()
            for line, vector in zip(likeness, vectors, strict=True)
        ]

    def options(self, rows: Sequence[int]) -> list[Option]:
        """The tasks as options."""
        return [self.space.option[self.space.task_ids[row]] for row in rows]

    def _near(
        self,
        likeness: NDArray[np.float32],
        vector: NDArray[np.float32],
        count: int,
        rows: NDArray[np.int64] | None = None,
    ) -> NDArray[np.int64]:
        """Rows of the tasks nearest to ``vector``, best first; ``likeness`` is of ``rows``, or of all tasks."""
        found = _top(likeness, count + _SPARE)
        tasks = found if rows is None else rows[found]
        exact = self._vectors[tasks].astype(np.float64) @ vector.astype(np.float64)
        return tasks[np.lexsort((tasks, -np.round(exact, 9)))][:count]

    def _by_words(self, text: str) -> NDArray[np.float32]:
        scores = np.zeros(len(self.space.texts), dtype=np.float32)
        for word in dict.fromkeys(_stems(text)):
            rows = self._words.rows.get(word)
            if rows is not None:
                scores[rows] += self._words.weights[word]
        return scores


def opening(text: str) -> str:
    """The first words of a text that are no function words, as many as make ``OPENING`` word pieces.

    A text of function words alone, or whose first word is longer, keeps its beginning.
    """
    words = itertools.islice((word for word in text.split() if not _is_function_word(word)), 2 * OPENING)
    return embeddings.beginning(" ".join(words) or text, OPENING)


def _is_function_word(word: str) -> bool:
    return word.strip(_PUNCTUATION).lower() in _FUNCTION_WORDS


def _top(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Rows of the ``count`` largest scores, in no order."""
    if count >= len(scores):
        return np.arange(len(scores))
    return np.argpartition(-scores, count)[:count]


def _best(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Rows of the ``count`` largest scores above zero, best first, ties by row."""
    rows = np.flatnonzero(scores > 0)
    if count < len(rows):
        # All that tie with the last one are looked at, so that ties are decided by row.
        least = np.partition(scores[rows], len(rows) - count)[len(rows) - count]
        rows = rows[scores[rows] >= least]
    return rows[np.lexsort((rows, -scores[rows]))][:count]


def _merged(one: NDArray[np.int64], other: NDArray[np.int64], count: int) -> list[int]:
    """The ``count`` best rows by the sum of reciprocal ranks, ties by row."""
    gains = [
        share / (_RANK + np.arange(len(rows))) for share, rows in zip(_SHARES, (one, other), strict=True)
    ]
    rows, place = np.unique(np.concatenate((one, other)), return_inverse=True)
    total = np.bincount(place, np.concatenate(gains))
    found: list[int] = rows[np.lexsort((rows, -total))[:count]].tolist()
    return found


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
