"""Which task: the SOC head narrows, then statements are compared.

The probability of a task is a two-step story: first the SOC major group, as the head reads it; within the
group the statement, by embedding (of the probable task sentence and of what was written) and BM25. A task
that several groups hold collects from each. The probability of a hierarchy node is the sum over the tasks
below it, so that a descent through the tree and a direct choice follow the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from economic_index.conversation import Conversation
from economic_index.engines.local.artefact import Artefact, softmax
from economic_index.engines.local.features import topic_tokens
from economic_index.engines.local.reader import Encode, Reading
from economic_index.labelling.lexical import Bm25
from economic_index.labelling.task_space import TaskSpace

Array = NDArray[np.float32]
#: What a group that the head does not know (Military, say) gets before normalising.
UNKNOWN_GROUP = 1e-4
#: Statements that speak for a group.
NEAREST = 3


@dataclass(frozen=True)
class TaskScores:
    """For a block of conversations: ``tasks`` (n, tasks) and ``nodes`` (n, nodes), probabilities before
    'none'.

    ``nearest``: cosine of the best statement, the only sign that no task fits. ``sharp_*`` decide, the plain
    ones are the confidence: deciding by a sharpened group keeps the descent from drifting into a
    neighbouring group whose many small chances add up.
    """

    tasks: Array
    nodes: Array
    sharp_tasks: Array
    sharp_nodes: Array
    nearest: Array


class TaskIndex:
    """The statements of a task space, ready to be compared."""

    def __init__(self, space: TaskSpace, artefact: Artefact, encode: Encode) -> None:
        self.space = space
        self.settings = artefact.settings
        self.vectors = encode(list(space.texts))
        self._bm25 = Bm25(space.texts)
        groups = sorted({group for majors in space.soc_majors for group in majors})
        self._membership = np.zeros((len(space.task_ids), len(groups)), dtype=np.float32)
        for row, majors in enumerate(space.soc_majors):
            for group in majors:
                self._membership[row, groups.index(group)] = 1.0
        self._rows_of_group = [np.flatnonzero(column) for column in self._membership.T]
        classes = artefact.heads["soc_major"].classes
        self._of_head = [classes.index(g) if g in classes else -1 for g in groups]
        self.node_position = {node: column for column, node in enumerate(space.nodes)}
        self._below = self._descendants()

    def _descendants(self) -> sparse.csr_matrix:
        rows, columns = [], []
        for row, task in enumerate(self.space.task_ids):
            for node in self.space.path(task):
                rows.append(row)
                columns.append(self.node_position[node])
        shape = (len(self.space.task_ids), max(1, len(self.node_position)))
        return sparse.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)

    def similarity(
        self, conversations: Sequence[Conversation], reading: Reading
    ) -> tuple[Array, Array, Array]:
        """Weighted similarity (n, tasks), the part of it that is meaning alone, and the plain best cosine (n,)."""
        task = reading.task @ self.vectors.T
        raw = reading.raw @ self.vectors.T
        meaning = (
            np.float32(self.settings["similarity_translated"]) * task
            + np.float32(self.settings["similarity_written"]) * raw
        )
        weighted = meaning
        if self.settings["bm25"]:
            weighted = meaning + np.float32(self.settings["bm25"]) * self.words(conversations)
        return weighted, meaning, np.maximum(task.max(axis=1), raw.max(axis=1))

    def words(self, conversations: Sequence[Conversation]) -> Array:
        """BM25 of every statement, shape (n, tasks), the best of each row 1."""
        return self._bm25.scores([topic_tokens(c) for c in conversations])

    def group_probabilities(self, reading: Reading, meaning: Array) -> Array:
        """SOC groups of this task space, shape (n, groups), rows summing to one: the head times the likeness of each
        group's nearest statements. Two witnesses who err differently; the second one knows the taxonomy in use.
        """
        head = reading.heads["soc_major"]
        found = np.full((len(head), len(self._of_head)), UNKNOWN_GROUP, dtype=np.float32)
        for column, of_head in enumerate(self._of_head):
            if of_head >= 0:
                found[:, column] = np.maximum(head[:, of_head], 1e-6)
        return softmax(
            np.log(found) + np.float32(self.settings["group_similarity"]) * self._nearness(meaning)
        )

    def _nearness(self, meaning: Array) -> Array:
        """Mean similarity of the ``NEAREST`` statements of each group, shape (n, groups)."""
        near = np.empty((len(meaning), len(self._rows_of_group)), dtype=np.float32)
        for column, rows in enumerate(self._rows_of_group):
            part, count = meaning[:, rows], min(NEAREST, len(rows))
            near[:, column] = np.partition(part, len(rows) - count, axis=1)[:, -count:].mean(axis=1)
        return near

    def score(self, conversations: Sequence[Conversation], reading: Reading) -> TaskScores:
        """Probabilities of every task and node."""
        weighted, meaning, nearest = self.similarity(conversations, reading)
        scaled = weighted / np.float32(self.settings["spread"])
        likeness = np.exp(scaled - scaled.max(axis=1, keepdims=True)) + np.float32(1e-30)
        in_group = likeness @ self._membership
        groups = self.group_probabilities(reading, meaning)
        sharp = groups ** np.float32(self.settings["sharpness"])
        sharp /= sharp.sum(axis=1, keepdims=True)
        plain_tasks = likeness * ((groups / in_group) @ self._membership.T)
        sharp_tasks = likeness * ((sharp / in_group) @ self._membership.T)
        return TaskScores(
            plain_tasks,
            np.asarray(plain_tasks @ self._below),
            sharp_tasks,
            np.asarray(sharp_tasks @ self._below),
            nearest,
        )
