"""Batch mode against the fake server: nothing lost, nothing paid twice, whatever the server or a crash
does."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import anthropic
import pytest
from anthropic_helpers import conversation, engine_on, screens, serving, tasks

from economic_index.engines.anthropic import batch as batch_module
from economic_index.engines.anthropic.batch import BatchStore
from economic_index.engines.anthropic.engine import AnthropicEngine
from economic_index.engines.asking import ask
from economic_index.engines.base import Answer, Request
from economic_index.engines.ledger import Ledger
from economic_index.errors import UserError
from economic_index.testing.fake_messages import FakeServer, Oracle

FAULTS = {
    "missing": 0.08,
    "duplicate": 0.08,
    "errored": 0.08,
    "expired": 0.08,
    "off_list": 0.08,
    "off_list_always": 0.08,
    "truncated": 0.08,
    "refusal": 0.08,
    "max_tokens": 0.08,
    "bad_request": 0.08,
}


def answered(engine: AnthropicEngine, requests: list[Request]) -> list[Answer]:
    got = dict(engine.answers(requests))
    assert sorted(got) == list(range(len(requests)))
    return [got[i] for i in range(len(requests))]


def paid_again(server: FakeServer) -> int:
    return sum(server.stats.paid.values()) - len(server.stats.paid)


def test_batch_and_direct_give_the_same_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = Oracle()
    for i in range(40):
        oracle.add(conversation(i).messages[0].content, {}, {f"Do the work called {i % 17}."})
    requests = [Request("base", conversation(i), (tasks(17),)) for i in range(40)]
    with serving(monkeypatch, oracle) as server:
        with engine_on(tmp_path, "batch") as engine:
            batched = answered(engine, requests)
            keys = [engine.key(request) for request in requests]
            cost = engine.settings.budget.spent
        assert server.stats.batch_items == 40 and server.stats.calls == 0
        with engine_on(tmp_path, "direct") as engine:
            direct = answered(engine, requests)
            assert [engine.key(request) for request in requests] == keys
            assert engine.settings.budget.spent == pytest.approx(2 * cost)
    assert [a.values for a in batched] == [a.values for a in direct]


def test_batches_keep_the_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serving(monkeypatch, batch_max_requests=10) as server,
        engine_on(tmp_path, "batch", batch_requests=10) as engine,
    ):
        answered(engine, screens(35))
        assert server.stats.batches_created == 4
    (tmp_path / "other").mkdir()
    with (
        serving(monkeypatch, batch_max_bytes=8_000) as server,
        engine_on(tmp_path / "other", "batch", batch_bytes=8_000) as engine,
    ):
        answered(engine, screens(35))
        assert server.stats.batches_created > 4
    assert batch_module.MAX_REQUESTS == 100_000
    assert batch_module.MAX_BYTES == 256 * 1024 * 1024


def test_all_faults_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serving(monkeypatch, mischief=FAULTS, expire_batches=frozenset({1})) as server,
        engine_on(tmp_path, "batch") as engine,
    ):
        got = answered(engine, screens(300))
    assert set(server.mischief.struck) == set(FAULTS)
    reasons = Counter(a.reason for a in got if a.status != "ok")
    assert set(reasons) == {"refusal", "option_not_offered", "rejected"}
    assert reasons["rejected"] == server.mischief.struck["bad_request"]
    assert Counter(a.status for a in got)["ok"] > 200


def test_an_answer_to_create_that_got_lost_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(monkeypatch, lose_batch_answers=frozenset({1})) as server:
        with engine_on(tmp_path, "batch") as engine:
            assert {a.status for a in answered(engine, screens(20))} == {"ok"}
        assert server.stats.batches_created == 1
        assert paid_again(server) == 0


def test_results_that_were_not_stored_are_fetched_again_and_not_bought_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(monkeypatch, mischief={"off_list": 0.3}) as server:
        with engine_on(tmp_path, "batch") as engine:
            first = answered(engine, screens(30))
        bought = server.stats.batch_items
        with engine_on(tmp_path, "batch") as engine:
            second = answered(engine, screens(30))
        assert server.stats.batch_items == bought
    assert [a.values for a in first] == [a.values for a in second]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", ["before_sending", "before_confirming", "after_confirming"])
def test_a_crash_around_submission_costs_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The process dies at the worst moments; a foreign batch of the same size lies on the server."""
    with serving(monkeypatch, batch_seconds=0.3) as server:
        foreign = {
            "custom_id": "foreign",
            "params": {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]},
        }
        others = anthropic.Anthropic()
        others.messages.batches.create(requests=[{**foreign, "custom_id": f"f{i}"} for i in range(20)])  # type: ignore[typeddict-item]
        real_confirm, real_intend = BatchStore.confirm, BatchStore.intend

        def confirm(self: BatchStore, name: str, batch_id: str) -> None:
            if moment == "before_confirming":
                raise Killed
            real_confirm(self, name, batch_id)
            raise Killed

        def intend(self: BatchStore, name: str, keys: object) -> None:
            real_intend(self, name, keys)  # type: ignore[arg-type]
            if moment == "before_sending":
                raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(BatchStore, "confirm", confirm)
            patched.setattr(BatchStore, "intend", intend)
            with engine_on(tmp_path, "batch") as engine, pytest.raises(Killed):
                answered(engine, screens(20))
        with engine_on(tmp_path, "batch") as engine:
            assert {a.status for a in answered(engine, screens(20))} == {"ok"}
        assert server.stats.batches_created == 2
        assert paid_again(server) <= 19, "only the foreign batch asks the same thing many times"
        ours = [count for count in server.stats.paid.values()]
        assert sorted(ours)[:20] == [1] * 20


def test_the_budget_holds_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = screens(100)
    with serving(monkeypatch) as server, Ledger(tmp_path / "a.sqlite") as ledger:
        with engine_on(tmp_path, "batch", max_calls=30) as engine:
            first = ask(engine, ledger, requests)
        assert Counter((a.status, a.reason) for a in first) == {("ok", None): 30, ("failed", "budget"): 70}
        assert server.stats.batch_items == 30
        with engine_on(tmp_path, "batch", max_cost=0.01) as engine:
            ask(engine, ledger, requests)
            assert 0 < engine.settings.budget.spent <= 0.01
        with engine_on(tmp_path, "batch") as engine:
            assert {a.status for a in ask(engine, ledger, requests)} == {"ok"}
        assert server.stats.batch_items == 100


def test_one_process_at_a_time(tmp_path: Path) -> None:
    store = BatchStore(tmp_path / "b.sqlite")
    with pytest.raises(UserError, match="Another run"):
        BatchStore(tmp_path / "b.sqlite")
    store.close()
    BatchStore(tmp_path / "b.sqlite").close()
    assert (tmp_path / "b.sqlite").stat().st_mode & 0o077 == 0


def test_a_server_without_batches_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serving(monkeypatch, bare=True),
        engine_on(tmp_path, "batch") as engine,
        pytest.raises(UserError, match="mode to direct"),
    ):
        answered(engine, screens(3))


def test_cancelled_batches_are_failures_that_the_next_run_asks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(monkeypatch, batch_seconds=0.6) as server:
        with engine_on(tmp_path, "batch", poll=0.2) as engine:
            cancelled: list[int] = []
            timer = threading.Timer(0.3, lambda: cancelled.append(engine.cancel_batches()))
            timer.start()
            got = answered(engine, screens(10))
            timer.join()
        assert cancelled == [1]
        assert Counter((a.status, a.reason) for a in got) == {("failed", "cancelled"): 10}
        with engine_on(tmp_path, "batch") as engine:
            assert {a.status for a in answered(engine, screens(10))} == {"ok"}
        assert paid_again(server) == 0
