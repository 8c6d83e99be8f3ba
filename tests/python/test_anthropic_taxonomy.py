"""The hierarchy with Claude: bounded input, resumable, no invalid answer gets in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from anthropic_helpers import FAST, MODEL, engine_on, screens, serving

from economic_index import embeddings
from economic_index.engines.anthropic import settings
from economic_index.engines.anthropic.money import PriceTable
from economic_index.engines.anthropic.render import render
from economic_index.engines.factory import EngineSettings, engine_identity, make_engine
from economic_index.engines.ledger import Ledger
from economic_index.engines.usage import run_usage_table
from economic_index.errors import UserError
from economic_index.paths import ledger_file, usage_file
from economic_index.taxonomy import anthropic_
from economic_index.taxonomy.anthropic_ import AnthropicProposer
from economic_index.taxonomy.build import Candidate, Node, Recipe, build_hierarchy
from economic_index.taxonomy.estimate import estimate_hierarchy
from economic_index.taxonomy.model import hierarchy_table

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


CLAUDE = {"taxonomy_engine": "anthropic", "models": {"default": MODEL}}


def by_claude(tasks: int = 300, **variables: object) -> pa.Table:
    return hierarchy_table(task_rows(tasks), levels=3, n_top=5, variables={**CLAUDE, **variables})


def study() -> dict[str, tuple[int, float]]:
    """(answers, cost) behind the present hierarchy, by stage."""
    rows = run_usage_table(usage_file()).to_pylist()
    return {row["stage"]: (row["n_answers"], row["answer_cost_usd"]) for row in rows if row["n_answers"]}


def test_the_dbt_model_asks_claude_once_and_then_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch) as server:
        table = by_claude()
        calls = server.stats.calls
        assert calls > 30 and by_claude().equals(table) and server.stats.calls == calls
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    assert by_claude().equals(table)
    assert by_claude(models={"default": "another", "taxonomy": MODEL}).equals(table), (
        "only its own model counts"
    )
    assert by_claude(engine="replay", mode="batch").equals(table)
    assert set(study()) == {f"taxonomy_{step}" for step in ("propose", "dedupe", "assign", "rename")}
    assert sum(answers for answers, _ in study().values()) == calls
    with pytest.raises(UserError, match="ANTHROPIC_API_KEY"):
        by_claude(models={"default": "another"})


def test_the_engine_of_the_labels_does_not_switch_the_hierarchy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.setattr("economic_index.taxonomy.local.name_groups", anthropic_.name_groups)
    tasks = task_rows(300)
    local = hierarchy_table(tasks, levels=3, n_top=5)
    switched = hierarchy_table(tasks, levels=3, n_top=5, variables={**CLAUDE, "taxonomy_engine": "local"})
    other = hierarchy_table(
        tasks, levels=3, n_top=5, variables={"engine": "anthropic", "models": {"default": MODEL}}
    )
    assert local.equals(other) and local.equals(switched)
    assert not ledger_file().exists() and study() == {}
    with pytest.raises(UserError, match=r"vars.taxonomy_engine is 'gpt'; use one of local, anthropic\."):
        by_claude(taxonomy_engine="gpt")


def test_a_hierarchy_that_is_not_recorded_cannot_be_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(UserError, match="cannot be replayed"):
        by_claude(engine="replay")


@pytest.mark.parametrize("mode", ["direct", "batch"])
def test_the_dbt_model_goes_on_after_the_budget_and_costs_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    made = settings.make_settings
    monkeypatch.setattr(settings, "make_settings", lambda *a, **k: replace(made(*a, **k), **FAST))
    with serving(monkeypatch) as server:
        whole = by_claude(mode=mode)
        calls, paid = server.stats.calls + server.stats.batch_items, study()
    monkeypatch.setenv("ECONOMIC_INDEX_WAREHOUSE", str(tmp_path / "again"))
    with serving(monkeypatch) as server:
        runs = iter(f"run {i}" for i in range(20))
        for _ in range(20):
            monkeypatch.setattr("economic_index.engines.factory.current_run", lambda: next(runs))
            try:
                table = by_claude(mode=mode, max_calls=40)
                break
            except UserError as error:
                assert "budget" in str(error) and "\n" not in str(error)
        assert server.stats.calls + server.stats.batch_items == calls
    assert table.equals(whole) and study() == paid


def test_what_the_hierarchy_spent_the_labels_cannot_spend(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch) as server:
        by_claude(max_calls=1_000)
        spent = server.stats.calls
        engine = make_engine(EngineSettings("anthropic", {"default": MODEL}, max_calls=spent + 3))
        answers = dict(engine.answers(screens(10)))
        engine.close()  # type: ignore[attr-defined]
        assert server.stats.calls == spent + 3
    assert sum(answer.reason == "budget" for answer in answers.values()) == 7
    rows = {row["stage"]: row["n_calls"] for row in run_usage_table(usage_file()).to_pylist()}
    assert rows.pop("screen") == 3 and sum(rows.values()) == spent


def test_the_estimate_is_near_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = task_rows(1_000)
    (line,) = estimate_hierarchy(
        [text for _, text, _ in tasks], Recipe(), {"default": MODEL}, PriceTable.read(), ["direct"]
    )
    with serving(monkeypatch) as server:
        hierarchy_table(tasks, levels=3, n_top=12, variables=CLAUDE)
    stats = server.stats
    sent = stats.input_tokens + stats.cache_read_tokens + stats.cache_write_tokens
    guessed = line.input_tokens + line.cache_read_tokens + line.cache_write_tokens
    assert 0.7 * stats.calls < line.calls < 1.4 * stats.calls
    assert 0.7 * sent < guessed < 2 * sent, "on the high side"
    assert line.cost_usd is not None and line.cost_usd > 0


def test_who_built_the_hierarchy_is_part_of_the_releases_identity() -> None:
    run = {"engine": "local", "models": {"default": MODEL}}
    local = engine_identity(run)
    assert engine_identity({**run, "taxonomy_engine": "local"}) == local
    claude = engine_identity({**run, "taxonomy_engine": "anthropic"})
    assert {k: v for k, v in claude.items() if not k.startswith("taxonomy_")} == local
    assert claude["taxonomy_model_taxonomy_assign"] == MODEL
    other = engine_identity({**run, "taxonomy_engine": "anthropic", "models": {"default": "another"}})
    assert other != claude


@pytest.mark.parametrize("name", ["Mail to jo@example.org", "See https://x.org", "Case 1234567", "  "])
def test_a_name_that_no_release_may_show_is_no_name(name: str) -> None:
    assert anthropic_._read_name(json.dumps({"name": name, "description": "x"})).problem == "missing_field"
    long = anthropic_._read_name(json.dumps({"name": "Work " * 80, "description": "x"})).summary
    assert long is not None and len(json.loads(long)[0][0]) <= 160
