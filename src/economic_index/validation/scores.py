"""Scores of a labelling against the truth, each with a 95 % interval: pure functions over lists of labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

_Z = 1.959963984540054
RESAMPLES = 1_000
SEED = 20_250_210

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Metric:
    """A number and the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Four decimals each."""
        return {"value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4)}


def wilson(right: int, n: int) -> Metric:
    """A share with Wilson's interval; n must be positive."""
    share = right / n
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return Metric(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def choice_metrics(
    truth: Sequence[str], guess: Sequence[str], accepted: Sequence[bool] | None = None
) -> dict[str, Metric]:
    """Accuracy, Cohen's kappa, macro F1 and balanced accuracy of one label per conversation.

    Args:
        truth, guess: labels; a guess that no truth has (no answer, say) is simply wrong.
        accepted: whether each guess counts as right for ``accuracy``, where several labels are accepted.

    Accuracy has Wilson's interval, the others a percentile bootstrap over conversations.
    """
    if not truth:
        return {}
    names = sorted({*truth, *guess})
    place = {name: code for code, name in enumerate(names)}
    true = np.array([place[name] for name in truth])
    guessed = np.array([place[name] for name in guess])
    right = np.array(accepted) if accepted is not None else true == guessed
    found = {"accuracy": wilson(int(right.sum()), len(truth))}
    for name, score in (("kappa", kappa), ("macro_f1", macro_f1), ("balanced_accuracy", balanced_accuracy)):
        found[name] = bootstrap(score, true, guessed, len(names))
    return found


def bootstrap(
    score: Callable[[Codes, Codes, int], float], true: Codes, guessed: Codes, n_labels: int
) -> Metric:
    """``score`` with its percentile interval over ``RESAMPLES`` draws of conversations, always the same
    draws."""
    random = np.random.default_rng(SEED)
    value = score(true, guessed, n_labels)
    draws = random.integers(0, len(true), size=(RESAMPLES, len(true)))
    values = [score(true[rows], guessed[rows], n_labels) for rows in draws]
    low, high = np.quantile(values, [0.025, 0.975])
    return Metric(value, min(value, float(low)), max(value, float(high)))


def confusion(true: Codes, guessed: Codes, n_labels: int) -> NDArray[np.int64]:
    """Counts of shape (labels, labels), truth by guess."""
    counts = np.bincount(true * n_labels + guessed, minlength=n_labels * n_labels)
    return counts.reshape(n_labels, n_labels)


def kappa(true: Codes, guessed: Codes, n_labels: int) -> float:
    """Cohen's kappa; 0 where chance alone agrees always (both sides have one and the same label)."""
    counts = confusion(true, guessed, n_labels)
    total = counts.sum()
    by_chance = float((counts.sum(axis=0) * counts.sum(axis=1)).sum()) / float(total) ** 2
    if by_chance >= 1.0:
        return 0.0
    return (float(np.trace(counts)) / float(total) - by_chance) / (1 - by_chance)


def macro_f1(true: Codes, guessed: Codes, n_labels: int) -> float:
    """Mean F1 over the labels that occur on either side."""
    counts = confusion(true, guessed, n_labels)
    occurring = counts.sum(axis=0) + counts.sum(axis=1)
    present = occurring > 0
    return float((2 * np.diag(counts)[present] / occurring[present]).mean())


def balanced_accuracy(true: Codes, guessed: Codes, n_labels: int) -> float:
    """Mean recall over the labels that the truth has."""
    counts = confusion(true, guessed, n_labels)
    rows = counts.sum(axis=1)
    return float((np.diag(counts)[rows > 0] / rows[rows > 0]).mean())


def set_metrics(truth: Sequence[frozenset[str]], guess: Sequence[frozenset[str]]) -> dict[str, Metric]:
    """Mean Jaccard overlap, micro precision, recall and F1, and macro F1 over the labels of the truth, of
    label sets.

    Two empty sets overlap fully. Intervals by bootstrap over conversations.
    """
    if not truth:
        return {}
    names = sorted(set().union(*truth, *guess))
    true = np.array([[name in labels for name in names] for labels in truth]).reshape(len(truth), len(names))
    guessed = np.array([[name in labels for name in names] for labels in guess]).reshape(
        len(truth), len(names)
    )
    random = np.random.default_rng(SEED)
    draws = random.integers(0, len(truth), size=(RESAMPLES, len(truth)))
    value = _set_scores(true, guessed)
    values = np.array([list(_set_scores(true[rows], guessed[rows]).values()) for rows in draws])
    lows, highs = np.quantile(values, [0.025, 0.975], axis=0)
    return {
        name: Metric(number, min(number, float(low)), max(number, float(high)))
        for (name, number), low, high in zip(value.items(), lows, highs, strict=True)
    }


def _set_scores(true: NDArray[np.bool_], guessed: NDArray[np.bool_]) -> dict[str, float]:
    both = true & guessed
    either = (true | guessed).sum(axis=1)
    overlap = np.where(either == 0, 1.0, both.sum(axis=1) / np.maximum(either, 1))
    hits, said, there = both.sum(), guessed.sum(), true.sum()
    occurring = true.any(axis=0)
    per_label = 2 * both.sum(axis=0) / np.maximum(1, true.sum(axis=0) + guessed.sum(axis=0))
    return {
        "jaccard": float(overlap.mean()),
        "precision": float(hits / max(1, said)),
        "recall": float(hits / max(1, there)),
        "micro_f1": float(2 * hits / max(1, said + there)),
        "macro_f1": float(per_label[occurring].mean()) if occurring.any() else 0.0,
    }
