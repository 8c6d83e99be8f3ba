"""The hierarchy with Claude: bounded input, resumable, no invalid answer gets in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from anthropic_helpers import engine_on, serving

from economic_index import embeddings
from economic_index.engines.anthropic.render import render
from economic_index.engines.ledger import Ledger
from economic_index.errors import UserError
from economic_index.taxonomy import anthropic_
from economic_index.taxonomy.anthropic_ import AnthropicProposer
from economic_index.taxonomy.build import Candidate, Node, Recipe, build_hierarchy

VERBS = ["Prepare", "Inspect", "Repair", "Teach", "Sell", "Design", "Measure", "Write", "Cook", "Drive"]
THINGS = [
    "reports",
    "machines",
    "roofs",
    "lessons",
    "clothes",
    "bridges",
    "samples",
    "letters",
    "meals",
    "trucks",
]


@pytest.fixture(autouse=True)
def word_vectors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ECONOMIC_INDEX_WAREHOUSE", str(tmp_path / "warehouse"))

    def encode(texts: Sequence[str], **_: object) -> np.ndarray:
        out = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().strip(".").split():
                out[row, sum(word.encode()) % 64] += 1.0
            out[row] /= max(float(np.linalg.norm(out[row])), 1e-9)
        return out

    monkeypatch.setattr(embeddings, "encode", encode)
    names = anthropic_.name_groups
    monkeypatch.setattr(
        anthropic_,
        "name_groups",
        lambda groups: [(f"Group of {g[0].name}", "") for g in groups] if groups else names([]),
    )


def task_rows(count: int) -> list[tuple[int, str, str]]:
    return [
        (
            i,
            f"{VERBS[i % 10]} {THINGS[(i // 10) % 10]} for customer kind {i // 100} in place {i % 7}.",
            f"k{i}",
        )
        for i in range(count)
    ]


def test_a_hierarchy_is_built_and_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serving(monkeypatch) as server,
        engine_on(tmp_path) as engine,
        Ledger(tmp_path / "a.sqlite") as ledger,
    ):
        proposer = AnthropicProposer(engine, ledger)
        table = build_hierarchy(task_rows(600), Recipe(n_top=6), proposer)
        calls = server.stats.calls
        again = build_hierarchy(task_rows(600), Recipe(n_top=6), AnthropicProposer(engine, ledger))
        assert server.stats.calls == calls
    assert again.equals(table)
    rows = table.to_pylist()
    sizes = Counter(row["level"] for row in rows)
    assert sizes[3] == 600 and 1 <= sizes[1] <= 6 and sizes[1] < sizes[2] < 100
    for level in (1, 2):
        at_level = [row["name"].casefold() for row in rows if row["level"] == level]
        assert len(at_level) == len(set(at_level))
    assert proposer.fallbacks == {}


def test_input_tokens_stay_within_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Per text well below 15 M / 17,535 = 855 tokens, without the cache; the naive assignment takes 8,300."""
    with (
        serving(monkeypatch) as server,
        engine_on(tmp_path) as engine,
        Ledger(tmp_path / "a.sqlite") as ledger,
    ):
        build_hierarchy(task_rows(1_000), Recipe(), AnthropicProposer(engine, ledger))
        per_text = (server.stats.input_tokens + server.stats.cache_write_tokens) / 1_000
    assert per_text < 600


def test_it_goes_on_where_the_budget_stopped_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch) as server, Ledger(tmp_path / "a.sqlite") as ledger:
        with engine_on(tmp_path, max_calls=20) as engine, pytest.raises(UserError, match="budget") as caught:
            build_hierarchy(task_rows(600), Recipe(n_top=6), AnthropicProposer(engine, ledger))
        assert "\n" not in str(caught.value)
        assert server.stats.calls == 20
        with engine_on(tmp_path) as engine:
            table = build_hierarchy(task_rows(600), Recipe(n_top=6), AnthropicProposer(engine, ledger))
        assert max(server.stats.paid.values()) == 1
    assert table.num_rows > 600


def test_faults_do_not_stop_it_and_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = {"off_list": 0.1, "off_list_always": 0.1, "truncated": 0.1, "overloaded": 0.1, "refusal": 0.1}
    with (
        serving(monkeypatch, mischief=faults),
        engine_on(tmp_path) as engine,
        Ledger(tmp_path / "a.sqlite") as ledger,
    ):
        proposer = AnthropicProposer(engine, ledger)
        table = build_hierarchy(task_rows(600), Recipe(n_top=6), proposer)
    assert sum(row["level"] == 3 for row in table.to_pylist()) == 600
    assert sum(proposer.fallbacks.values()) > 0


def node(name: str) -> Node:
    return Node(name, "", embeddings.encode([name])[0], (1,))


def test_assignments_must_name_every_item_once() -> None:
    read = anthropic_._read_assignments
    good = {"assignments": [{"item": 2, "parent": 1}, {"item": 1, "parent": 3}]}
    assert read(2, 3, json.dumps(good)).summary == "[2, 0]"
    for bad in (
        {"assignments": [{"item": 1, "parent": 1}]},
        {"assignments": [{"item": 1, "parent": 1}, {"item": 1, "parent": 2}]},
        {"assignments": [{"item": 1, "parent": 4}, {"item": 2, "parent": 1}]},
        {"assignments": [{"item": 0, "parent": 1}, {"item": 2, "parent": 1}]},
        {"assignments": [{"item": 1}, {"item": 2, "parent": 1}]},
        {"assignments": "none"},
        {},
    ):
        assert read(2, 3, json.dumps(bad)).problem is not None
    assert read(2, 3, "nonsense").problem == "not_json"


def test_parents_are_shown_in_a_shuffled_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    children = [node(f"{verb} things") for verb in VERBS]
    parents = [
        Candidate(f"{verb} everything", "", embeddings.encode([f"{verb} everything"])[0]) for verb in VERBS
    ]
    with (
        serving(monkeypatch) as server,
        engine_on(tmp_path) as engine,
        Ledger(tmp_path / "a.sqlite") as ledger,
    ):
        server.keep_bodies = True
        chosen = AnthropicProposer(engine, ledger).assign(
            children, parents, lambda i: np.random.default_rng([7, i]).permutation(10)
        )
        shown = server.bodies[0]["messages"][0]["content"]
    assert chosen == list(range(10)), "the fake model goes by words, whatever the order"
    order = [shown.index(f"{verb} everything") for verb in VERBS]
    assert order != sorted(order)


def test_a_taxonomy_stage_is_never_rendered_for_a_conversation() -> None:
    from anthropic_helpers import FLAG, conversation

    from economic_index.engines.base import Request

    assert render(Request("taxonomy_assign", conversation(1), (FLAG,))).prompt.name != "taxonomy_assign"
