"""The hierarchy: shape, one path per task, stable ids, same bytes, reuse, and who is asked what."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from economic_index import embeddings
from economic_index.errors import UserError
from economic_index.taxonomy import build, names
from economic_index.taxonomy.build import (
    Candidate,
    Neighbourhood,
    Node,
    Recipe,
    build_hierarchy,
    level_sizes,
    node_id,
)
from economic_index.taxonomy.local import LocalProposer
from economic_index.taxonomy.model import hierarchy_table

Task = tuple[int, str, str]

VERBS = ["Repair", "Write", "Teach", "Plan", "Inspect", "Sell", "Clean", "Measure", "Draw", "Load"]
THINGS = [
    "bicycles",
    "letters",
    "pupils",
    "gardens",
    "bridges",
    "bread",
    "windows",
    "fields",
    "maps",
    "lorries",
]
PLACES = ["in workshops", "for customers", "at night", "with colleagues", "in winter", "for schools"]


def some_tasks(n: int) -> list[Task]:
    texts = [f"{v} {t} {p}." for p in PLACES for v in VERBS for t in THINGS][:n]
    return [(1000 + i, text, hashlib.md5(text.lower().encode()).hexdigest()) for i, text in enumerate(texts)]


def fake_encode(texts: Sequence[str], **_: object) -> NDArray[np.float32]:
    """Bag of words in 64 random directions: cheap, deterministic, and similar texts are near."""
    rows = np.zeros((len(texts), 64))
    for row, text in enumerate(texts):
        for word in text.lower().rstrip(".").split():
            seed = int.from_bytes(hashlib.md5(word.encode()).digest()[:4], "big")
            rows[row] += np.random.default_rng(seed).normal(size=64)
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)


@pytest.fixture(autouse=True)
def cheap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ECONOMIC_INDEX_WAREHOUSE", str(tmp_path))
    monkeypatch.setattr(embeddings, "encode", fake_encode)
    monkeypatch.setattr(names, "encode", fake_encode)
    return tmp_path


def assert_is_a_tree(table: pa.Table, tasks: Sequence[Task], levels: int) -> None:
    rows = table.to_pylist()
    assert table.schema.equals(build.SCHEMA)
    sizes = Counter(row["level"] for row in rows)
    assert sorted(sizes) == list(range(1, levels + 1))
    assert all(sizes[level] < sizes[level + 1] for level in range(1, levels))
    by_id = {row["node_id"]: row for row in rows}
    assert len(by_id) == len(rows)
    children = Counter(row["parent_node_id"] for row in rows)
    for row in rows:
        assert row["level_name"] == (
            "top" if row["level"] == 1 else "base" if row["level"] == levels else "middle"
        )
        if row["level"] == levels:
            assert row["n_tasks"] == 1
        else:
            assert children[row["node_id"]] > 0, "an empty node"
            assert row["task_id"] is None
        if row["level"] == 1:
            assert row["parent_node_id"] is None
            assert row["top_node_id"] == row["node_id"]
        else:
            parent = by_id[row["parent_node_id"]]
            assert parent["level"] == row["level"] - 1
            assert parent["top_node_id"] == row["top_node_id"]
    base = [row for row in rows if row["level"] == levels]
    assert sorted(row["task_id"] for row in base) == sorted(task[0] for task in tasks)
    assert sum(row["n_tasks"] for row in rows if row["level"] == 1) == len(tasks)
    for level in range(1, levels):
        level_names = [row["name"] for row in rows if row["level"] == level]
        assert len({name.lower() for name in level_names}) == len(level_names)
        assert all(1 <= len(name.split()) <= 12 for name in level_names)


def test_level_sizes_follow_the_papers_ratio() -> None:
    assert level_sizes(19_530, 3, 12) == [12, 484, 19_530]
    assert level_sizes(17_535, 3, 12) == [12, 459, 17_535]
    assert level_sizes(16_000, 4, 2) == [2, 40, 800, 16_000]


@given(st.integers(2, 3000), st.integers(2, 6), st.integers(1, 60))
def test_level_sizes_fall_strictly(n_base: int, levels: int, n_top: int) -> None:
    if n_base < levels:
        with pytest.raises(UserError, match="at least"):
            level_sizes(n_base, levels, n_top)
        return
    sizes = level_sizes(n_base, levels, n_top)
    assert len(sizes) == levels
    assert sizes[-1] == n_base
    assert 1 <= sizes[0] <= n_top
    assert all(low < high for low, high in pairwise(sizes))


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_every_task_has_one_path(levels: int) -> None:
    tasks = some_tasks(300)
    assert_is_a_tree(build_hierarchy(tasks, Recipe(levels=levels, n_top=6)), tasks, levels)


@settings(max_examples=15, deadline=None)
@given(st.integers(3, 60), st.integers(1, 20), st.integers(0, 5))
def test_small_lists_are_trees_too(n: int, n_top: int, seed: int) -> None:
    tasks = some_tasks(n)
    assert_is_a_tree(build_hierarchy(tasks, Recipe(n_top=n_top, seed=seed)), tasks, 3)


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_tasks_that_cannot_be_told_apart_are_reported() -> None:
    tasks = [(i, "Bake bread.", f"key{i}") for i in range(30)]
    with pytest.raises(UserError, match="fell under one parent"):
        build_hierarchy(tasks, Recipe(n_top=4))


def test_same_input_gives_the_same_bytes_in_any_order(cheap: Path) -> None:
    tasks = some_tasks(250)
    build_hierarchy(tasks)
    (artefact,) = (cheap / "taxonomy").glob("*.parquet")
    first = artefact.read_bytes()
    artefact.unlink()
    build_hierarchy(tasks[::-1])
    assert [path.name for path in (cheap / "taxonomy").iterdir()] == [artefact.name]
    assert artefact.read_bytes() == first


def test_a_built_hierarchy_is_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = some_tasks(120)
    first = hierarchy_table(tasks, levels=3, n_top=5)
    monkeypatch.setattr(embeddings, "encode", lambda *_: pytest.fail("built again"))
    assert hierarchy_table(tasks, levels=3, n_top=5).equals(first)


def test_another_task_or_recipe_is_another_artefact(cheap: Path) -> None:
    tasks = some_tasks(60)
    build_hierarchy(tasks, Recipe(n_top=4))
    build_hierarchy(tasks[:-1], Recipe(n_top=4))
    build_hierarchy(tasks, Recipe(n_top=3))
    build_hierarchy([(tasks[0][0], "Rewrite the whole statement.", "k"), *tasks[1:]], Recipe(n_top=4))
    assert len(list((cheap / "taxonomy").glob("*.parquet"))) == 4


def test_node_ids_depend_on_level_and_tasks_only() -> None:
    assert node_id("middle", 2, [3, 1, 2]) == node_id("middle", 2, (1, 2, 3))
    assert node_id("middle", 2, [1, 2]) != node_id("middle", 3, [1, 2])
    assert node_id("middle", 2, [1, 23]) != node_id("middle", 2, [12, 3])


@pytest.mark.parametrize(
    ("tasks", "recipe", "message"),
    [
        ([], Recipe(), "at least 3 tasks, but there are 0"),
        (some_tasks(2), Recipe(), "at least 3 tasks"),
        ([*some_tasks(5), some_tasks(1)[0]], Recipe(), "a task id twice"),
        (some_tasks(9), Recipe(levels=1), "taxonomy_levels must be at least 2"),
        (some_tasks(9), Recipe(n_top=0), "taxonomy_n_top must be at least 1"),
    ],
)
def test_what_cannot_be_built_is_said(tasks: list[Task], recipe: Recipe, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_hierarchy(tasks, recipe)


class Spy(LocalProposer):
    """The local proposer, with what it was asked kept for the test."""

    def __init__(self) -> None:
        super().__init__(seed=1)
        self.seen: list[Neighbourhood] = []
        self.orders: list[list[int]] = []

    def identity(self) -> dict[str, str]:
        return {"name": "spy"}

    def propose(self, neighbourhoods: Sequence[Neighbourhood]) -> list[list[Candidate]]:
        self.seen.extend(neighbourhoods)
        return super().propose(neighbourhoods)

    def assign(
        self,
        children: Sequence[Node],
        parents: Sequence[Candidate],
        order: Callable[[int], NDArray[np.int64]],
    ) -> list[int]:
        self.orders.extend([order(child).tolist() for child in range(len(children))])
        return super().assign(children, parents, order)


def test_proposers_see_neighbours_outsiders_and_bounds() -> None:
    spy = Spy()
    build_hierarchy(some_tasks(400), Recipe(n_top=8), spy)
    at_base = [
        seen for seen in spy.seen if len(seen.members[0].tasks) == 1 and seen.members[0].name.endswith(".")
    ]
    assert sum(len(seen.members) for seen in at_base) == 400
    for seen in at_base:
        assert len(seen.outsiders) == 10
        assert not {node.tasks for node in seen.members} & {node.tasks for node in seen.outsiders}
        share = 57 * len(seen.members) / 400
        assert seen.at_least == max(1, int(0.5 * share))
        assert seen.at_most == min(len(seen.members), int(np.ceil(1.5 * share)))


def test_options_are_shuffled_for_every_child() -> None:
    spy = Spy()
    build_hierarchy(some_tasks(200), Recipe(n_top=6), spy)
    first = spy.orders[:50]
    assert all(sorted(order) == sorted(first[0]) for order in first)
    assert len({tuple(order) for order in first}) > 40


class Empty(Spy):
    def deduplicate(self, candidates: Sequence[Candidate], target: int) -> list[Candidate]:
        return []


def test_a_proposer_without_proposals_is_reported() -> None:
    with pytest.raises(UserError, match="No parent was proposed"):
        build_hierarchy(some_tasks(50), Recipe(n_top=3), Empty())


class Lazy(Spy):
    """Gives everything to the first parent, as a bad judge might."""

    def assign(
        self,
        children: Sequence[Node],
        parents: Sequence[Candidate],
        order: Callable[[int], NDArray[np.int64]],
    ) -> list[int]:
        return [0] * len(children)


def test_parents_that_received_nothing_disappear() -> None:
    tasks = some_tasks(50)
    rows = build_hierarchy(tasks, Recipe(n_top=3, levels=2), Lazy()).to_pylist()
    assert Counter(row["level"] for row in rows) == {1: 1, 2: 50}
