"""The task hierarchy, built bottom-up as in the paper's Appendix B.1 (after Clio, Tamkin et al. 2024, G.7).

Per level: embed the nodes, group them into neighbourhoods of about 40, propose parents for each
neighbourhood while seeing its nearest outsiders, deduplicate the proposals across neighbourhoods, assign
every node to its best parent, and rename each parent from what it received. The judgement in these steps
is a ``Proposer``: ``taxonomy.local`` needs no language model, another implementation may ask one.
Everything else is here and the same for both.

A hierarchy is an artefact: ``<warehouse>/taxonomy/<hash>.parquet``, where the hash covers the tasks and
the recipe.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from economic_index import embeddings
from economic_index.errors import UserError
from economic_index.paths import warehouse

Vectors = NDArray[np.float32]
Progress = Callable[[str], None]

#: Key of an artefact's metadata that says what its answers cost.
_USAGE = b"economic_index.usage"
#: Raise it when the steps below change what comes out, so that stored hierarchies are built anew.
BUILDER_VERSION = 1

SCHEMA = pa.schema(
    [
        pa.field("level", pa.int32(), nullable=False),
        pa.field("level_name", pa.string(), nullable=False),
        pa.field("node_id", pa.string(), nullable=False),
        pa.field("parent_node_id", pa.string()),
        pa.field("top_node_id", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("task_id", pa.int64()),
        pa.field("n_tasks", pa.int32(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a hierarchy besides the tasks and the proposer.

    ``levels`` counts the base (the tasks themselves). ``neighbourhood`` is the average size of a
    neighbourhood, ``outsiders`` the number of nearest nodes outside it that a proposer sees as well.
    """

    levels: int = 3
    n_top: int = 12
    neighbourhood: int = 40
    outsiders: int = 10
    seed: int = 20_240_612

    def checked(self) -> Recipe:
        """The recipe itself; raises UserError for fewer than two levels or less than one top node."""
        if self.levels < 2:
            raise UserError("The variable taxonomy_levels must be at least 2: a top level and the tasks.")
        if self.n_top < 1:
            raise UserError("The variable taxonomy_n_top must be at least 1.")
        return self


@dataclass(frozen=True, eq=False)
class Node:
    """A task or a parent while the hierarchy grows.

    ``vector`` (384,) is the mean of the unit vectors of the tasks below, ``tasks`` their sorted ids.
    """

    name: str
    description: str
    vector: Vectors
    tasks: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A proposed parent: what it is called, and where it lies among the embeddings."""

    name: str
    description: str
    vector: Vectors


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """What a proposer sees at once. It answers with ``at_least`` to ``at_most`` candidates."""

    members: tuple[Node, ...]
    outsiders: tuple[Node, ...]
    at_least: int
    at_most: int


class Proposer(Protocol):
    """The judgement in the four steps of Appendix B.1. Methods take whole levels so that calls can be
    batched.
    """

    def identity(self) -> dict[str, str]:
        """What decides the answers (implementation, version, model, prompt hashes); part of the artefact's
        hash.
        """
        ...

    def propose(self, neighbourhoods: Sequence[Neighbourhood]) -> list[list[Candidate]]:
        """Candidates for each neighbourhood, within its bounds."""
        ...

    def deduplicate(self, candidates: Sequence[Candidate], target: int) -> list[Candidate]:
        """At most ``target`` distinct candidates that still cover what all candidates cover."""
        ...

    def assign(
        self,
        children: Sequence[Node],
        parents: Sequence[Candidate],
        order: Callable[[int], NDArray[np.int64]],
    ) -> list[int]:
        """Position in ``parents`` for each child. ``order(i)`` is the shuffled order in which child i sees
        them.
        """
        ...

    def rename(self, groups: Sequence[Sequence[Node]]) -> list[tuple[str, str]]:
        """A (name, description) for each group of children; names are unique in the list."""
        ...

    def usage(self) -> dict[str, dict[str, Any]]:
        """What the answers cost, by stage (``engines.usage.Tally.as_rows``); empty where nothing was paid."""
        ...


def level_sizes(n_base: int, levels: int, n_top: int) -> list[int]:
    """Target number of nodes from the top to the base: n_l / n_(l-1) is constant, and sizes strictly fall
    upwards.

    ``level_sizes(19530, 3, 12)`` is ``[12, 484, 19530]``; the paper reports 12, 474 and 19,530.

    Raises:
        UserError: fewer tasks than levels, so that no strictly falling sizes exist.
    """
    if n_base < levels:
        raise UserError(
            f"A hierarchy of {levels} levels needs at least {levels} tasks, but there are {n_base}."
        )
    top = max(1, min(n_top, n_base - levels + 1))
    ratio = (n_base / top) ** (1 / (levels - 1))
    sizes = [round(top * ratio**step) for step in range(levels)]
    sizes[0], sizes[-1] = top, n_base
    for step in range(levels - 2, 0, -1):
        sizes[step] = min(sizes[step], sizes[step + 1] - 1)
    for step in range(1, levels - 1):
        sizes[step] = max(sizes[step], sizes[step - 1] + 1)
    return sizes


def build_hierarchy(
    tasks: Iterable[tuple[int, str, str]],
    recipe: Recipe | None = None,
    proposer: Proposer | None = None,
    *,
    on_progress: Progress | None = None,
) -> pa.Table:
    """The hierarchy over ``tasks`` (task_id, text, task_key), from the store or built now.

    Args:
        tasks: one entry per distinct task text; the order does not matter.
        recipe: levels, sizes and seed; the paper's L = 3 and n_top = 12 by default.
        proposer: who proposes, merges, assigns and names; ``LocalProposer`` by default.
        on_progress: told which step begins.

    Returns:
        A table of ``SCHEMA``: one row per node, level 1 on top, sorted by level and node id.

    Raises:
        UserError: no tasks, a repeated task id, or a recipe that cannot be carried out.
    """
    from economic_index.taxonomy.local import LocalProposer

    recipe = (recipe or Recipe()).checked()
    proposer = proposer or LocalProposer(seed=recipe.seed)
    rows = sorted(tasks)
    if len({row[0] for row in rows}) != len(rows):
        raise UserError("The task list holds a task id twice; check the model tasks.")
    sizes = level_sizes(len(rows), recipe.levels, recipe.n_top)
    path = artefact_path(rows, recipe, proposer)
    if path.is_file():
        return pq.read_table(path, schema=SCHEMA)
    say = on_progress or (lambda _step: None)
    say(f"embedding {len(rows)} tasks")
    vectors = embeddings.encode([row[1] for row in rows])
    base = [Node(row[1], "", vectors[i], (row[0],)) for i, row in enumerate(rows)]
    table = _table(_grow(base, sizes, recipe, proposer, say), base)
    _store(table, path, proposer.usage())
    return table


def artefact_path(rows: Sequence[tuple[int, str, str]], recipe: Recipe, proposer: Proposer) -> Path:
    """Where the hierarchy over ``rows`` (sorted) is stored, built or not."""
    return warehouse() / "taxonomy" / f"{artefact_hash(rows, recipe, proposer)}.parquet"


def stored_usage(path: Path) -> dict[str, dict[str, Any]]:
    """What the answers of a stored hierarchy cost, by stage; empty for one that cost nothing."""
    metadata = pq.read_schema(path).metadata or {}
    return dict(json.loads(metadata.get(_USAGE, b"{}")))


def artefact_hash(rows: Sequence[tuple[int, str, str]], recipe: Recipe, proposer: Proposer) -> str:
    """Content address of a hierarchy (32 hex digits): task ids and keys, recipe, proposer, encoder,
    version.
    """
    digest = hashlib.blake2b(digest_size=16)
    what = {
        "builder": BUILDER_VERSION,
        "recipe": asdict(recipe),
        "proposer": proposer.identity(),
        "encoder": embeddings.MODEL_ID,
    }
    digest.update(json.dumps(what, sort_keys=True).encode())
    for task_id, text, key in rows:
        digest.update(f"\n{task_id}\t{key}\t{text}".encode())
    return digest.hexdigest()


def node_id(level_name: str, level: int, tasks: Iterable[int]) -> str:
    """Stable id of a node above the base: its level and the sorted ids of the tasks below it, hashed."""
    content = f"{level}:" + ",".join(str(task) for task in sorted(tasks))
    return f"{level_name}-{hashlib.blake2b(content.encode(), digest_size=6).hexdigest()}"


def neighbourhoods(vectors: Vectors, size: int, seed: int) -> NDArray[np.int64]:
    """K-means label of each row of ``vectors`` (n, d), with k such that a neighbourhood holds ``size`` on
    average.
    """
    from sklearn.cluster import KMeans

    k = max(1, round(len(vectors) / size))
    if k == 1:
        return np.zeros(len(vectors), dtype=np.int64)
    labels = KMeans(k, n_init=1, random_state=seed).fit(vectors).labels_
    return np.asarray(labels, dtype=np.int64)


def _grow(
    base: list[Node], sizes: list[int], recipe: Recipe, proposer: Proposer, say: Progress
) -> list[tuple[list[Node], list[int]]]:
    """Levels from the one above the base up to the top: (nodes, parent position of every node one level
    below).
    """
    grown: list[tuple[list[Node], list[int]]] = []
    children = base
    for step in range(recipe.levels - 2, -1, -1):
        target = min(sizes[step], len(children) - 1)
        if target < 1:
            raise UserError("All tasks fell under one parent and no level fits above it; use fewer levels.")
        say(f"level {step + 1}: {target} nodes over {len(children)}")
        parents, position = _one_level(children, target, recipe, proposer, step)
        grown.append((parents, position))
        children = parents
    return grown


def _one_level(
    children: list[Node], target: int, recipe: Recipe, proposer: Proposer, step: int
) -> tuple[list[Node], list[int]]:
    """Parents of ``children``, none empty, and the position of each child's parent."""
    seed = recipe.seed + step
    seen = _what_proposers_see(children, target, recipe, seed)
    proposed = [candidate for answer in proposer.propose(seen) for candidate in answer]
    kept = proposer.deduplicate(proposed, target)[:target]
    if not kept:
        raise UserError("No parent was proposed for the task hierarchy; check the engine's answers.")

    def order(child: int) -> NDArray[np.int64]:
        return np.random.default_rng([seed, child]).permutation(len(kept))

    chosen = proposer.assign(children, kept, order)
    used = sorted(set(chosen))
    groups = [[child for child, choice in zip(children, chosen, strict=True) if choice == i] for i in used]
    names = proposer.rename(groups)
    parents = [_parent(group, name, text) for group, (name, text) in zip(groups, names, strict=True)]
    place = {choice: position for position, choice in enumerate(used)}
    return parents, [place[choice] for choice in chosen]


def _parent(group: Sequence[Node], name: str, description: str) -> Node:
    """The node above ``group``; its vector is the mean over all tasks below."""
    weights = np.array([len(child.tasks) for child in group], dtype=np.float64)
    mean = np.average(np.stack([child.vector for child in group]).astype(np.float64), axis=0, weights=weights)
    return Node(
        name,
        description,
        mean.astype(np.float32),
        tuple(sorted(task for child in group for task in child.tasks)),
    )


def _what_proposers_see(children: list[Node], target: int, recipe: Recipe, seed: int) -> list[Neighbourhood]:
    """Neighbourhoods with their nearest outsiders and the bounds 0.5 n to 1.5 n on the number of
    candidates.
    """
    vectors = np.stack([child.vector for child in children])
    labels = neighbourhoods(vectors, recipe.neighbourhood, seed)
    seen = []
    for label in np.unique(labels):
        inside = np.flatnonzero(labels == label)
        centre = vectors[inside].mean(axis=0)
        nearness = vectors @ centre
        nearness[inside] = -np.inf
        outside = np.argsort(-nearness, kind="stable")[: recipe.outsiders]
        outside = outside[np.isfinite(nearness[outside])]
        share = target * len(inside) / len(children)
        at_most = min(len(inside), max(1, int(np.ceil(1.5 * share))))
        seen.append(
            Neighbourhood(
                tuple(children[i] for i in inside),
                tuple(children[i] for i in outside),
                min(at_most, max(1, int(np.floor(0.5 * share)))),
                at_most,
            )
        )
    return seen


def _table(grown: list[tuple[list[Node], list[int]]], base: list[Node]) -> pa.Table:
    """All levels as one table of ``SCHEMA``, sorted by level, then task id or node id."""
    levels = len(grown) + 1
    rows: list[dict[str, Any]] = []
    above: list[tuple[str, str]] = []
    for level, (nodes, _) in enumerate(reversed(grown), start=1):
        # Positions of parents belong to the level below them, so they are looked up one step earlier.
        position = grown[levels - level][1] if level > 1 else []
        level_name = "top" if level == 1 else "middle"
        ids: list[tuple[str, str]] = []
        for i, node in enumerate(nodes):
            own = node_id(level_name, level, node.tasks)
            parent, top = above[position[i]] if level > 1 else (None, own)
            rows.append(_row(level, level_name, own, parent, top, node, None))
            ids.append((own, top))
        above = ids
    for i, node in enumerate(base):
        parent, top = above[grown[0][1][i]]
        rows.append(_row(levels, "base", f"base-{node.tasks[0]}", parent, top, node, node.tasks[0]))
    rows.sort(key=lambda row: (row["level"], row["task_id"] or 0, row["node_id"]))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(
    level: int, level_name: str, own: str, parent: str | None, top: str, node: Node, task_id: int | None
) -> dict[str, Any]:
    return {
        "level": level,
        "level_name": level_name,
        "node_id": own,
        "parent_node_id": parent,
        "top_node_id": top,
        "name": node.name,
        "task_id": task_id,
        "n_tasks": len(node.tasks),
    }


def _store(table: pa.Table, path: Path, usage: dict[str, dict[str, Any]]) -> None:
    """Write the artefact, and what it cost beside it, so that no reader ever sees half of it."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    if usage:
        table = table.replace_schema_metadata({_USAGE: json.dumps(usage, sort_keys=True).encode()})
    pq.write_table(table, partial, compression="zstd", write_statistics=False)
    partial.replace(path)
