"""The proposer that needs no language model: clustering of sentence embeddings, and names cut from the
tasks' own words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from economic_index.taxonomy.build import Candidate, Neighbourhood, Node, Vectors
from economic_index.taxonomy.names import name_groups

VERSION = "2"
_REFINEMENTS = 30
_SMALL_LEVEL = 20_000


class LocalProposer:
    """Proposes cluster centres, merges the nearest ones, assigns to the nearest centre, names from typical
    phrases.
    """

    def __init__(self, seed: int = 0) -> None:
        """``seed`` starts every k-means."""
        self.seed = seed

    def identity(self) -> dict[str, str]:
        """Implementation and version."""
        return {"name": "local", "version": VERSION}

    def propose(self, neighbourhoods: Sequence[Neighbourhood]) -> list[list[Candidate]]:
        """As many centres as allowed per neighbourhood; outsiders pull on them, a centre of outsiders
        alone is dropped.

        The upper bound is used because merging loses nothing, while a parent that was never proposed is
        missing.
        """
        return [self._centres(seen) for seen in neighbourhoods]

    def deduplicate(self, candidates: Sequence[Candidate], target: int) -> list[Candidate]:
        """Ward clusters of the candidates, one per target; each is the mean of what it merged."""
        if len(candidates) <= target:
            return list(candidates)
        from scipy.cluster.hierarchy import fcluster, linkage

        vectors = np.stack([candidate.vector for candidate in candidates])
        labels = _exactly(fcluster(linkage(vectors, "ward"), target, criterion="maxclust"), vectors, target)
        return [Candidate("", "", _mean(vectors[labels == label])) for label in np.unique(labels)]

    def assign(
        self,
        children: Sequence[Node],
        parents: Sequence[Candidate],
        order: Callable[[int], NDArray[np.int64]],
    ) -> list[int]:
        """Nearest centre, after a few rounds in which the centres move to what they were given.

        The shuffled order decides between equally near parents. No parent is left empty: it takes the
        child that fits its present parent worst.
        """
        vectors = np.stack([child.vector for child in children]).astype(np.float64)
        weights = np.array([len(child.tasks) for child in children], dtype=np.float64)
        centres = np.stack([parent.vector for parent in parents]).astype(np.float64)
        centres, chosen = _settled(vectors, weights, centres)
        if len(children) * len(parents) <= _SMALL_LEVEL:
            # A level this small has few proposals and settles anywhere; other starts cost nothing. The
            # best is kept.
            for other in _other_starts(vectors, weights, len(parents), self.seed):
                attempt = _settled(vectors, weights, other)
                if _spread(vectors, weights, *attempt) < _spread(vectors, weights, centres, chosen) - 1e-9:
                    centres, chosen = attempt
        fit = _fit(vectors, centres)
        return [int(choice) for choice in _fill_empty(_break_ties(fit, chosen, order), fit)]

    def rename(self, groups: Sequence[Sequence[Node]]) -> list[tuple[str, str]]:
        """Verb phrases of at most 12 words, unique among the groups; descriptions list typical phrases."""
        return name_groups(groups)

    def usage(self) -> dict[str, dict[str, Any]]:
        """Nothing: no model is asked."""
        return {}

    def _centres(self, seen: Neighbourhood) -> list[Candidate]:
        from sklearn.cluster import KMeans

        inside = len(seen.members)
        vectors = np.stack([node.vector for node in (*seen.members, *seen.outsiders)])
        k = seen.at_most
        if k == 1:
            return [Candidate("", "", _mean(vectors[:inside]))]
        labels = KMeans(k, n_init=1, random_state=self.seed).fit(vectors).labels_
        mine = [label for label in range(k) if (labels[:inside] == label).any()]
        return [Candidate("", "", _mean(vectors[labels == label])) for label in mine]


def _mean(vectors: Vectors) -> Vectors:
    """Mean of the rows of ``vectors`` (n, d)."""
    mean: Vectors = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def _fit(vectors: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """How well each row (n) fits each centre (k): falls with the squared distance, up to a constant per
    row.
    """
    fit: NDArray[np.float64] = vectors @ centres.T - 0.5 * np.einsum("ij,ij->i", centres, centres)
    return fit


def _settled(
    vectors: NDArray[np.float64], weights: NDArray[np.float64], centres: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Centres (k, d) and the choice of each row after the centres have moved to what they were given."""
    chosen = np.argmax(_fit(vectors, centres), axis=1)
    for _ in range(_REFINEMENTS):
        chosen = _fill_empty(chosen, _fit(vectors, centres))
        centres = _means(vectors, weights, chosen, centres)
        moved = np.argmax(_fit(vectors, centres), axis=1)
        if np.array_equal(moved, chosen):
            break
        chosen = moved
    return centres, chosen


def _spread(
    vectors: NDArray[np.float64],
    weights: NDArray[np.float64],
    centres: NDArray[np.float64],
    chosen: NDArray[np.int64],
) -> float:
    """Weighted sum of squared distances to the chosen centres."""
    return float(weights @ np.square(vectors - centres[chosen]).sum(axis=1))


def _other_starts(
    vectors: NDArray[np.float64], weights: NDArray[np.float64], k: int, seed: int
) -> list[NDArray[np.float64]]:
    """Eight k-means++ starts (k, d)."""
    from sklearn.cluster import kmeans_plusplus

    return [
        kmeans_plusplus(vectors, k, sample_weight=weights, random_state=seed + attempt)[0]
        for attempt in range(8)
    ]


def _means(
    vectors: NDArray[np.float64],
    weights: NDArray[np.float64],
    chosen: NDArray[np.int64],
    old: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Weighted means (k, d) of the rows chosen for each of the k centres; a centre without rows stays."""
    total = np.zeros_like(old)
    np.add.at(total, chosen, vectors * weights[:, None])
    mass = np.bincount(chosen, weights=weights, minlength=len(old))[:, None]
    return np.where(mass > 0, total / np.maximum(mass, 1e-12), old)


def _fill_empty(chosen: NDArray[np.int64], fit: NDArray[np.float64]) -> NDArray[np.int64]:
    """The same choice with every centre used, as long as there are children enough; ``fit`` is (n, k)."""
    chosen = np.array(chosen, dtype=np.int64)
    counts = np.bincount(chosen, minlength=fit.shape[1])
    for empty in np.flatnonzero(counts == 0):
        gain = fit[:, empty] - fit[np.arange(len(chosen)), chosen]
        gain[counts[chosen] <= 1] = -np.inf
        child = int(np.argmax(gain))
        if not np.isfinite(gain[child]):
            break
        counts[chosen[child]] -= 1
        chosen[child], counts[empty] = empty, 1
    return chosen


def _break_ties(
    fit: NDArray[np.float64], chosen: NDArray[np.int64], order: Callable[[int], NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Among parents that fit a child equally well, the first in its shuffled order."""
    chosen = np.array(chosen, dtype=np.int64)
    level = fit >= fit.max(axis=1, keepdims=True) - 1e-9
    for child in np.flatnonzero(level.sum(axis=1) > 1):
        shuffled = order(int(child))
        chosen[child] = shuffled[np.flatnonzero(level[child][shuffled])[0]]
    return chosen


def _exactly(labels: NDArray[np.int64], vectors: Vectors, target: int) -> NDArray[np.int64]:
    """Split the widest clusters until there are ``target``: ties in the tree can leave fewer."""
    labels = np.array(labels, dtype=np.int64)
    while len(np.unique(labels)) < target:
        found, counts = np.unique(labels, return_counts=True)
        widest = found[int(np.argmax(counts))]
        rows = np.flatnonzero(labels == widest)
        if len(rows) < 2:
            break
        centre = vectors[rows].mean(axis=0)
        labels[rows[int(np.argmax(np.linalg.norm(vectors[rows] - centre, axis=1)))]] = found.max() + 1
    return labels
