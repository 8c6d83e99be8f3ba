"""How well a hierarchy agrees with O*NET's own grouping of tasks into work activities, which never helps
to build it.

Adjusted mutual information (AMI): 1 for the same grouping, about 0 for a random one of the same shape. A
task may have several detailed work activities (DWA); the measure takes each (task, activity) link as one
observation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from economic_index.errors import UserError


@dataclass(frozen=True)
class Link:
    """One official link of a task to its detailed, intermediate and generalised work activity."""

    task_id: int
    dwa: str
    iwa: str
    gwa: str


@dataclass(frozen=True)
class Score:
    """AMI of one level against one official grouping, beside two baselines with the same number of groups."""

    level: str
    n_nodes: int
    grouping: str
    n_groups: int
    n_links: int
    hierarchy: float
    kmeans: float
    random_tree: float


def score_hierarchy(
    hierarchy: pa.Table, links: Sequence[Link], texts: Mapping[int, str], *, seed: int = 0
) -> list[Score]:
    """Score the node just above the tasks against DWA and IWA, and the top node against GWA.

    Args:
        hierarchy: table of ``taxonomy.build.SCHEMA``.
        links: official links; tasks that are not in the hierarchy are left out.
        texts: task statement by task id, for the k-means baseline on the same embeddings.
        seed: of both baselines.

    Raises:
        UserError: no link belongs to a task of the hierarchy.
    """
    from sklearn.cluster import KMeans

    from economic_index.embeddings import encode

    base = [row for row in hierarchy.to_pylist() if row["level_name"] == "base"]
    tasks = [int(row["task_id"]) for row in base]
    row_of = {task: i for i, task in enumerate(tasks)}
    usable = [link for link in links if link.task_id in row_of]
    if not usable:
        raise UserError(
            "No task of the hierarchy has a work activity in Tasks to DWAs; there is nothing to score."
        )
    index = np.array([row_of[link.task_id] for link in usable])
    vectors = encode([texts[task] for task in tasks])
    rng = np.random.default_rng(seed)
    shuffle = rng.permutation(len(tasks))
    scores = []
    for level, column, groupings in (
        ("middle", "parent_node_id", ("dwa", "iwa")),
        ("top", "top_node_id", ("iwa", "gwa")),
    ):
        nodes = _codes([str(row[column]) for row in base])
        k = int(nodes.max()) + 1
        plain = np.asarray(KMeans(k, n_init=1, random_state=seed).fit(vectors).labels_)
        for grouping in groupings:
            official = _codes([getattr(link, grouping) for link in usable])
            scores.append(
                Score(
                    level,
                    k,
                    grouping.upper(),
                    int(official.max()) + 1,
                    len(usable),
                    _ami(official, nodes[index]),
                    _ami(official, plain[index]),
                    # A random tree of the same shape: the same node sizes, other tasks in them.
                    _ami(official, nodes[shuffle][index]),
                )
            )
    return scores


def _codes(values: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.asarray(values), return_inverse=True)[1].astype(np.int64)


def _ami(left: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(left, right))
