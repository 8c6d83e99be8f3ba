"""Prices, budget, usage, estimates, agreement."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from anthropic_helpers import conversation, engine_on, screens, serving
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from economic_index.engines.anthropic.estimate import Shape, estimate
from economic_index.engines.anthropic.money import Budget, PriceTable
from economic_index.engines.anthropic.progress import Progress
from economic_index.engines.anthropic.settings import make_settings
from economic_index.engines.base import Answer, Usage
from economic_index.engines.usage import run_usage_table
from economic_index.errors import UserError
from economic_index.labelling.agreement import Side, compare, wilson
from economic_index.labelling.task_space import TaskSpace
from economic_index.registry import read_registry


def test_prices_cover_the_default_model_and_dated_names() -> None:
    table = PriceTable.read()
    price = table.need("claude-haiku-4-5-20251001")
    assert price.model == "claude-haiku-4-5"
    million = Usage(1, 1_000_000, 1_000_000, 1_000_000, 1_000_000)
    assert price.cost(million) == pytest.approx(1.0 + 0.10 + 1.25 + 5.0)
    assert price.cost(million, batch=True) == pytest.approx((1.0 + 0.10 + 2.0 + 5.0) / 2)
    with pytest.raises(UserError, match="claude-unheard-of"):
        table.need("claude-unheard-of")


def test_a_price_table_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "prices.csv"
    head = "model,input,output,cache_read,cache_write_5m,cache_write_1h,"
    head += "batch_factor,min_prefix_tokens,thinking,effort"
    own.write_text(f"{head}\nmy-model,2,4,1,1,1,0.5,1024,,\n")
    monkeypatch.setenv("ECONOMIC_INDEX_PRICES", str(own))
    made = make_settings({"default": "my-model"}, max_cost=1.0)
    assert made.prices.need("my-model").output == 4
    own.write_text(f"{head}\nmy-model,two,4,1,1,1,0.5,1024,,\n")
    with pytest.raises(UserError, match="Line 2"):
        make_settings({"default": "my-model"})
    own.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        make_settings({"default": "my-model"})


def test_a_budget_in_dollars_needs_a_price() -> None:
    with pytest.raises(UserError, match="no row"):
        make_settings({"default": "claude-unheard-of"}, max_cost=1.0)
    make_settings({"default": "claude-unheard-of"})
    with pytest.raises(UserError, match=r"vars\.mode"):
        make_settings({"default": "x"}, "sideways")
    with pytest.raises(UserError, match="default model"):
        make_settings({"screen": "x"})


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 1)), max_size=40), st.floats(0, 10))
def test_what_is_spent_and_reserved_never_exceeds_the_limit(
    calls: list[tuple[float, float]], limit: float
) -> None:
    budget = Budget(max_cost=limit)
    for reserved, share in calls:
        if budget.reserve(reserved):
            assert budget.spent + budget.reserved <= limit + 1e-9
            budget.settle(reserved, reserved * share)
    assert budget.spent <= limit + 1e-9
    assert budget.reserved == pytest.approx(0, abs=1e-9)


def test_a_budget_is_safe_between_threads() -> None:
    budget = Budget(max_calls=500)
    granted: list[bool] = []

    def work() -> None:
        for _ in range(200):
            if budget.reserve(0.0):
                granted.append(True)
                budget.settle(0.0, 0.0)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 500 == budget.calls


def test_usage_as_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"usage": tmp_path / "usage.sqlite", "run_id": "one"}
    with (
        serving(monkeypatch, mischief={"refusal": 0.3, "overloaded": 0.3}) as server,
        engine_on(tmp_path, max_calls=60, **record) as engine,
    ):
        list(engine.answers(screens(80)))
        table = run_usage_table(tmp_path / "usage.sqlite")
    (row,) = table.to_pylist()
    assert row["n_questions"] == 80 == sum(row[f"n_{s}"] for s in ("ok", "invalid", "refused", "failed"))
    assert row["n_calls"] == server.stats.attempts == 60
    assert row["n_stopped_by_budget"] == row["n_failed"] > 0
    assert row["input_tokens"] == server.stats.input_tokens
    assert row["cost_usd"] == pytest.approx(
        (server.stats.input_tokens + 5 * server.stats.output_tokens) / 1e6
    )


def test_progress_says_rate_time_spend_and_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch), engine_on(tmp_path, max_cost=3.0) as engine:
        list(engine.answers(screens(3)))
        assert engine._host is not None
        progress = Progress(10, engine._host.sender, engine.settings)
        progress.tick(Answer("ok"))
        progress.tick(Answer("failed", reason="network"))
        line = progress.line()
    assert "asked 2 of 10" in line and "/s" in line and "left" in line
    assert "of $3.00" in line and "network 1" in line


PAPER = Shape((12, 39.5, 41.2), 21.0, 2_087)


def test_estimates_order_the_strategies_and_halve_in_batches() -> None:
    talk = [conversation(i, "word " * 1_500) for i in range(5)]
    lines = estimate(talk, 1_000, read_registry(), PAPER, {"default": "claude-haiku-4-5"}, PriceTable.read())
    by = {(line.strategy, line.mode): line for line in lines}
    assert {s for s, _ in by} == {"tree", "compact", "shortlist", "dwa"}
    assert [by[s, "direct"].calls for s in ("tree", "compact", "shortlist", "dwa")] == [
        9_000,
        4_000,
        2_000,
        3_000,
    ]
    costs = {key: line.cost_usd or 0.0 for key, line in by.items()}
    assert costs["shortlist", "direct"] < costs["compact", "direct"] < costs["tree", "direct"]
    assert costs["tree", "batch"] == pytest.approx(costs["tree", "direct"] / 2, rel=1e-3)
    assert by["compact", "direct"].cache_read_tokens > 4_000_000
    assert by["dwa", "direct"].cache_read_tokens > by["compact", "direct"].cache_read_tokens
    none = estimate(talk, 10, read_registry(), PAPER, {"default": "claude-unheard-of"}, PriceTable.read())
    assert all(line.cost_usd is None for line in none)


def test_an_estimate_is_near_what_the_server_bills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from economic_index.engines.base import Request
    from economic_index.labelling.compact import CompactFacets

    registry = read_registry()
    rounds = CompactFacets(registry)
    talks = [
        conversation(i, "Please look at this text with care and say what it means. " * 60) for i in range(30)
    ]
    (line,) = estimate(
        talks,
        30,
        registry,
        PAPER,
        {"default": "claude-haiku-4-5"},
        PriceTable.read(),
        0.0,
        ["compact"],
        ["direct"],
    )
    with serving(monkeypatch) as server, engine_on(tmp_path) as engine:
        requests: list[Request] = [rounds.request(talk) for talk in talks]
        list(engine.answers(requests))
        stats = server.stats
    assert line.calls == stats.calls == 30
    assert 0.7 < line.input_tokens / stats.input_tokens < 1.5
    cached = stats.cache_read_tokens + stats.cache_write_tokens
    assert 0.8 < (line.cache_read_tokens + line.cache_write_tokens) / cached < 1.4


def test_the_command_prints_one_json_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    from economic_index.commands import estimate as command

    project = Path(__file__).parents[2]
    monkeypatch.setenv("ECONOMIC_INDEX_PROJECT", str(project))
    monkeypatch.delenv("ECONOMIC_INDEX_TAXONOMY", raising=False)
    talks = tmp_path / "talks.jsonl"
    rows = [
        {
            "conversation_id": f"c{i}",
            "account_id": "a",
            "started_at": "2025-01-01T00:00:00Z",
            "messages": [
                {"role": "user", "content": "Write a letter."},
                {"role": "assistant", "content": "Dear"},
            ],
        }
        for i in range(20)
    ]
    talks.write_text("\n".join(map(json.dumps, rows)))
    app = typer.Typer()
    command.register(app)
    result = CliRunner().invoke(app, ["--conversations", str(talks), "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert {line["conversations"] for line in document["estimates"]} == {20}
    assert len(document["estimates"]) == 8
    assert [line["mode"] for line in document["taxonomy"]] == ["direct", "batch"]
    assert document["taxonomy_engine"] == "local" and document["taxonomy"][0]["calls"] > 100


def test_further_tasks_are_labels_of_their_conversation() -> None:
    rows = [
        {"conversation_id": "c", "facet": facet, "option_id": option, "status": "ok"}
        for facet, option in (("task", "1"), ("further_task", "2"), ("skill", "3"), ("occupational", "yes"))
    ]
    assert Side.from_rows(rows).task == {"c": frozenset({"1", "2"})}


def small_space() -> TaskSpace:
    tree = [{"node_id": "t", "parent_node_id": None, "name": "T", "task_id": None}]
    tasks, held = [], []
    for number in range(4):
        middle = f"m{number // 2}"
        if number % 2 == 0:
            tree.append({"node_id": middle, "parent_node_id": "t", "name": middle, "task_id": None})
        tree.append({"node_id": f"b{number}", "parent_node_id": middle, "name": "", "task_id": number})
        tasks.append({"task_id": number, "task": f"Task {number}"})
        held.append({"task_id": number, "soc_major_code": str(11 + 2 * (number % 2))})
    return TaskSpace.from_rows(tasks, held, tree)


def side(tasks: dict[str, str | None]) -> Side:
    rows = [
        {
            "conversation_id": c,
            "facet": "occupational",
            "option_id": "no" if t is None else "yes",
            "status": "ok",
        }
        for c, t in tasks.items()
    ]
    rows += [
        {"conversation_id": c, "facet": "task", "option_id": t, "status": "ok"} for c, t in tasks.items() if t
    ]
    return Side.from_rows(rows)


def test_agreement_at_every_level() -> None:
    one = side({"a": "0", "b": "1", "c": "2", "d": None, "e": "3"})
    other = side({"a": "0", "b": "0", "c": "0", "d": None, "e": None})
    occupations = {str(i): frozenset({f"o{i}", "shared"}) for i in range(4)}
    found = {level.level: level for level in compare(one, other, small_space(), occupations)}
    assert (found["screen"].n, found["screen"].agree) == (5, 4)
    assert [found[name].n for name in ("top", "middle", "base", "soc_major", "occupation")] == [3] * 5
    assert [found[n].agree for n in ("top", "middle", "base", "soc_major", "occupation")] == [3, 2, 1, 2, 3]
    assert found["occupation"].share_exact == pytest.approx(1 / 3)
    assert found["occupation"].kappa is None
    low, high = found["middle"].low, found["middle"].high
    assert low is not None and high is not None and 0 < low < 2 / 3 < high < 1
    same = compare(one, one, small_space(), occupations)
    assert all(level.share == 1.0 for level in same)


def test_wilson_intervals() -> None:
    assert wilson(0, 0) == (None, None)
    low, high = wilson(95, 100)
    assert low == pytest.approx(0.8883, abs=1e-3) and high == pytest.approx(0.9785, abs=1e-3)
    assert wilson(0, 10)[0] == 0.0 and wilson(10, 10)[1] == pytest.approx(1.0)


def test_unusable_answers_do_not_count_in_an_agreement() -> None:
    rows = [{"conversation_id": "a", "facet": "task", "option_id": None, "status": "invalid"}]
    rows += [{"conversation_id": "b", "facet": "task", "option_id": "none", "status": "ok"}]
    assert Side.from_rows(rows).task == {}
