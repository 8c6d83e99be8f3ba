"""The proposer that needs no language model: clustering of sentence embeddings, and names cut from the tasks' own words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from economic_index.taxonomy.build import Candidate, Neighbourhood, Node, Vectors
from economic_index.taxonomy.names import name_groups

VERSION = "1"
_REFINEMENTS = 12


class LocalProposer:
    """Proposes cluster centres, merges the nearest ones, assigns to the nearest centre, names from typical phrases."""

    def __init__(self, seed: int = 0) -> None:
        """``seed`` starts every k-means."""
        self.seed = seed

    def identity(self) -> dict[str, str]:
        """Implementation and version."""
        return {"name": "local", "version": VERSION}

    def propose(self, neighbourhoods: Sequence[Neighbourhood]) -> list[list[Candidate]]:
        """As many centres as allowed per neighbourhood; outsiders pull on them, a centre of outsiders alone is dropped.

        The upper bound is used because merging loses nothing, while a parent that was never proposed is missing.
        """
        return [self._centres(seen) for seen in neighbourhoods]

    def deduplicate(self, candidates: Sequence[Candidate], target: int) -> list[Candidate]:
        """Ward clusters of the candidates, one per target; each is the unit mean of what it merged."""
        if len(candidates) <= target:
            return list(candidates)
        from scipy.cluster.hierarchy import fcluster, linkage

        vectors = np.stack([candidate.vector for candidate in candidates]).astype(np.float64)
        labels = _exactly(fcluster(linkage(vectors, "ward"), target, criterion="maxclust"), vectors, target)
        return [Candidate("", "", _unit(vectors[labels == label].mean(axis=0))) for label in np.unique(labels)]

    def assign(
        self, children: Sequence[Node], parents: Sequence[Candidate], order: Callable[[int], NDArray[np.int64]]
    ) -> list[int]:
        """Nearest centre, after a few rounds in which the centres move to what they were given.

        The shuffled order decides between equally near parents. No parent is left empty: it takes the child that
        fits its present parent worst.
        """
        vectors = np.stack([child.vector for child in children]).astype(np.float64)
        weights = np.sqrt([len(child.tasks) for child in children])
        centres = np.stack([parent.vector for parent in parents]).astype(np.float64)
        chosen = np.argmax(vectors @ centres.T, axis=1)
        for _ in range(_REFINEMENTS):
            chosen = _fill_empty(chosen, vectors, centres)
            centres = _means(vectors, weights, chosen, centres)
            moved = np.argmax(vectors @ centres.T, axis=1)
            if np.array_equal(moved, chosen):
                break
            chosen = moved
        chosen = _break_ties(vectors, centres, chosen, order)
        return [int(choice) for choice in _fill_empty(chosen, vectors, centres)]

    def rename(self, groups: Sequence[Sequence[Node]]) -> list[tuple[str, str]]:
        """Verb phrases of at most 12 words, unique among the groups; descriptions list typical phrases."""
        return name_groups(groups)

    def _centres(self, seen: Neighbourhood) -> list[Candidate]:
        from sklearn.cluster import KMeans

        inside = len(seen.members)
        vectors = np.stack([node.vector for node in (*seen.members, *seen.outsiders)])
        k = seen.at_most
        if k == 1:
            return [Candidate("", "", _unit(vectors[:inside].mean(axis=0)))]
        labels = KMeans(k, n_init=1, random_state=self.seed).fit(vectors).labels_
        mine = [label for label in range(k) if (labels[:inside] == label).any()]
        return [Candidate("", "", _unit(vectors[labels == label].mean(axis=0))) for label in mine]


def _unit(vector: NDArray[np.floating]) -> Vectors:
    """``vector`` (d,) at length one."""
    unit: Vectors = (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)
    return unit


def _means(
    vectors: NDArray[np.float64], weights: NDArray[np.float64], chosen: NDArray[np.int64], old: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Unit means (k, d) of the rows chosen for each of the k centres; a centre without rows stays."""
    total = np.zeros_like(old)
    np.add.at(total, chosen, vectors * weights[:, None])
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 0, total / np.maximum(length, 1e-12), old)


def _fill_empty(
    chosen: NDArray[np.int64], vectors: NDArray[np.float64], centres: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The same choice with every centre used, as long as there are children enough."""
    chosen = np.array(chosen, dtype=np.int64)
    counts = np.bincount(chosen, minlength=len(centres))
    fit = np.einsum("ij,ij->i", vectors, centres[chosen])
    for empty in np.flatnonzero(counts == 0):
        gain = vectors @ centres[empty] - fit
        gain[counts[chosen] <= 1] = -np.inf
        child = int(np.argmax(gain))
        if not np.isfinite(gain[child]):
            break
        counts[chosen[child]] -= 1
        chosen[child], counts[empty] = empty, 1
        fit[child] = vectors[child] @ centres[empty]
    return chosen


def _break_ties(
    vectors: NDArray[np.float64],
    centres: NDArray[np.float64],
    chosen: NDArray[np.int64],
    order: Callable[[int], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Among parents that fit a child equally well, the first in its shuffled order."""
    nearness = vectors @ centres.T
    best = nearness.max(axis=1, keepdims=True)
    level = nearness >= best - 1e-9
    for child in np.flatnonzero(level.sum(axis=1) > 1):
        shuffled = order(int(child))
        chosen[child] = shuffled[np.flatnonzero(level[child][shuffled])[0]]
    return chosen


def _exactly(labels: NDArray[np.int64], vectors: NDArray[np.float64], target: int) -> NDArray[np.int64]:
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
