"""What was asked and paid: the durable record, the bills behind the answers, one budget for a run."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import types
from dataclasses import replace
from pathlib import Path

import pytest
from anthropic_helpers import FAST, MODEL, conversation, engine_settings, screens, serving
from hypothesis import given
from hypothesis import strategies as st

from economic_index.engines.anthropic import AnthropicEngine, make_settings
from economic_index.engines.anthropic.money import PriceTable, bill_of
from economic_index.engines.asking import ask
from economic_index.engines.base import Answer, Bill, Chosen, Usage
from economic_index.engines.ledger import Ledger, decode_answer, encode_answer
from economic_index.engines.usage import COUNTERS, SCHEMA, Tally, UsageStore, current_run, run_usage_table
from economic_index.errors import UserError

BILL = Bill(10, 4_000, 3, 123_456)
ok = Answer("ok", {"colour": Chosen(("red",))}, usage=Usage(2, 10, 4_000, 0, 3), bill=BILL)


def engine_of(tmp: Path, run: str, mode: str = "direct", **limits: float) -> AnthropicEngine:
    """An engine that records what it uses in ``tmp/usage.sqlite`` for the run ``run``."""
    made = make_settings(
        {"default": MODEL},
        mode,
        state=tmp / "batches.sqlite",
        usage=tmp / "usage.sqlite",
        run_id=run,
        **limits,
    )
    return AnthropicEngine(replace(made, **FAST))


def the_row(tmp: Path) -> dict[str, object]:
    (row,) = run_usage_table(tmp / "usage.sqlite").to_pylist()
    return dict(row)


@given(st.builds(Bill, *[st.integers(0, 10**9)] * 3, st.none() | st.integers(0, 10**15)))
def test_the_ledger_keeps_the_bill_of_an_answer(bill: Bill) -> None:
    assert decode_answer(encode_answer(replace(ok, bill=bill))) == replace(ok, bill=bill)


def test_an_answer_of_an_older_ledger_has_tokens_and_no_price() -> None:
    old = json.loads(encode_answer(ok))
    del old["b"]
    answer = decode_answer(json.dumps(old))
    assert answer.bill is None and answer.usage == ok.usage
    tally = Tally()
    tally.add(b"k", "screen", answer)
    used = tally.stages["screen"]
    assert (used.n_answers, used.input_tokens, used.cached_tokens, used.output_tokens) == (1, 10, 4_000, 3)
    assert (used.cost_nanousd, used.n_unpriced) == (0, 1)


def test_who_fills_the_cache_does_not_change_a_direct_bill() -> None:
    price = PriceTable.read().need(MODEL)
    wrote, read = Usage(3, 500, 0, 4_600, 40), Usage(1, 500, 4_600, 0, 40)
    assert bill_of(wrote, price) == bill_of(read, price)
    assert bill_of(read, price).cost_nanousd == 500 * 1_000 + 4_600 * 100 + 40 * 5_000
    in_batch = bill_of(wrote, price, batch=True)
    assert in_batch.cost_nanousd == (500 * 1_000 + 4_600 * 2_000 + 40 * 5_000) // 2
    assert bill_of(wrote, None) == Bill(500, 4_600, 40, None)


def test_a_tally_counts_each_answer_once_and_no_failure() -> None:
    tally = Tally()
    for key in (b"a", b"b", b"a", b"b", b"a"):
        tally.add(key, "screen", ok)
    tally.add(b"c", "screen", replace(ok, status="failed"))
    tally.add(b"d", "skill", Answer("ok", {}))
    assert {name: used.n_answers for name, used in tally.stages.items()} == {"screen": 2}
    assert tally.stages["screen"].cost_nanousd == 2 * 123_456


def test_an_engine_that_costs_nothing_leaves_nothing(tmp_path: Path) -> None:
    tally = Tally()
    tally.add(b"a", "screen", Answer("ok", {}))
    with UsageStore(tmp_path / "usage.sqlite") as store:
        store.set_study("labelling", tally.as_rows())
    table = run_usage_table(tmp_path / "usage.sqlite")
    assert table.schema == SCHEMA and table.num_rows == 0


def test_the_record_adds_up_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    counts = tuple(range(1, len(COUNTERS) + 1))
    with UsageStore(path) as store:
        store.add("one", 2, 5_000, {("screen", "m", "direct"): counts})
        store.add("one", 1, 5_000, {("screen", "m", "direct"): counts})
        store.add("two", 1, 7_000, {("screen", "n", "batch"): counts})
        assert store.of_run("one") == (1e-5, 3) and store.of_run("three") == (0.0, 0)
        files = [path, *tmp_path.glob("usage.sqlite-*")]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    row = the_row(tmp_path)
    assert (row["models"], row["modes"], row["n_runs"]) == ("m,n", "batch,direct", 2)
    assert row["n_questions"] == 3 and row["output_tokens"] == 3 * 13
    assert row["cost_usd"] == pytest.approx(3 * 14e-9) and row["last_run_n_calls"] == 2
    assert (row["n_answers"], row["answer_cost_usd"]) == (0, 0.0)


def test_the_study_is_replaced_part_by_part(tmp_path: Path) -> None:
    one, other, free = Tally(), Tally(), Tally()
    one.add(b"a", "compact", ok)
    other.add(b"b", "taxonomy_rename", replace(ok, bill=replace(BILL, cost_nanousd=None)))
    with UsageStore(tmp_path / "usage.sqlite") as store:
        store.set_study("labelling", one.as_rows())
        store.set_study("taxonomy", other.as_rows())
        store.set_study("labelling", one.as_rows())
        rows = {row["stage"]: row for row in store.table().to_pylist()}
        assert {name: row["n_answers"] for name, row in rows.items()} == {"compact": 1, "taxonomy_rename": 1}
        assert rows["compact"]["answer_cost_usd"] == 0.000123456
        assert rows["taxonomy_rename"]["answer_cost_usd"] is None, "no price is not no cost"
        store.set_study("labelling", free.as_rows())
        assert store.table()["stage"].to_pylist() == ["taxonomy_rename"]


def test_another_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    with sqlite3.connect(path) as link:
        link.execute("create table other (x)")
    link.close()
    with pytest.raises(UserError, match="is not a usage record") as caught:
        UsageStore(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="cannot be opened"):
        UsageStore(tmp_path / "nowhere" / "usage.sqlite")
    path.write_bytes(b"not a database, but long enough to be read as the header of one. " * 40)
    with pytest.raises(UserError, match="cannot be used"):
        UsageStore(path)


def test_a_run_is_named_by_dbt_where_dbt_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "dbt_common.invocation", raising=False)
    assert current_run() == current_run() and current_run().startswith("process-")
    dbt = types.ModuleType("dbt_common.invocation")
    dbt.get_invocation_id = lambda: "abc"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dbt_common.invocation", dbt)
    assert current_run() == "abc"


@pytest.mark.parametrize("mode", ["direct", "batch"])
def test_a_rerun_that_asks_nothing_wipes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    faults = {"overloaded": 0.2, "off_list": 0.2, "refusal": 0.1} if mode == "direct" else {}
    with serving(monkeypatch, mischief=faults) as server, Ledger(tmp_path / "a.sqlite") as ledger:
        tallies = []
        for run in ("first", "second"):
            tally = Tally()
            with engine_of(tmp_path, run, mode) as engine:
                ask(engine, ledger, screens(40), tally=tally)
            tallies.append(tally.as_rows())
        row = the_row(tmp_path)
    assert tallies[0] == tallies[1], "the study is the same whoever paid for it"
    assert tallies[0]["screen"]["n_answers"] == 40 == row["n_questions"]
    assert row["n_runs"] == 1 and row["last_run_n_calls"] == row["n_calls"]
    sent = server.stats.attempts if mode == "direct" else server.stats.batch_items
    assert row["n_calls"] == sent
    assert row["input_tokens"] == server.stats.input_tokens
    assert row["output_tokens"] == server.stats.output_tokens
    if mode == "direct":
        assert row["n_calls"] > 40 and row["n_retries"] > 0 and row["n_refused"] > 0
        assert tallies[0]["screen"]["input_tokens"] < server.stats.input_tokens, (
            "a repair is no second answer"
        )


def test_one_budget_for_all_engines_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch) as server:
        with engine_of(tmp_path, "one", max_calls=10) as engine:
            list(engine.answers(screens(6)))
        with engine_of(tmp_path, "one", max_calls=10) as engine:
            answers = dict(engine.answers(screens(20)))
        assert server.stats.calls == 10
        assert sum(answer.reason == "budget" for answer in answers.values()) == 16
        with engine_of(tmp_path, "two", max_calls=10) as engine:
            list(engine.answers(screens(6)))
        assert server.stats.calls == 16, "the limits are those of one run"
        spent = the_row(tmp_path)["cost_usd"]
        assert isinstance(spent, float)
        with engine_of(tmp_path, "one", max_cost=spent / 2) as engine:
            (answer,) = dict(engine.answers(screens(1))).values()
    assert answer.reason == "budget" and server.stats.calls == 16


def test_a_full_disk_stops_the_run_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise UserError("The usage record cannot be used (disk full); free its disk.")

    with serving(monkeypatch):
        engine = engine_of(tmp_path, "one")
        monkeypatch.setattr(UsageStore, "add", full)
        with pytest.raises(UserError, match="disk full"):
            list(engine.answers(screens(3)))
        with pytest.raises(UserError, match="disk full"):
            engine.close()
    assert not [t for t in threading.enumerate() if t.name == "usage-commit" and t.is_alive()]


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from anthropic_helpers import screens
from test_usage import engine_of
from economic_index.engines.asking import ask
from economic_index.engines.ledger import Ledger
home = Path(sys.argv[1])
with Ledger(home / "a.sqlite") as ledger, engine_of(home, sys.argv[2]) as engine:
    ask(engine, ledger, screens(600))
"""


def test_a_kill_loses_no_more_than_the_ledger_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calm = tmp_path / "calm"
    calm.mkdir()
    folder = str(Path(__file__).parent)
    with serving(monkeypatch, latency=0.05, mischief={"off_list": 0.05}) as server:
        command = [sys.executable, "-c", CHILD, str(tmp_path), "killed", folder]
        child = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        deadline = time.monotonic() + 30
        while server.stats.calls < 250 and time.monotonic() < deadline:
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        child.wait(10)
        with Ledger(tmp_path / "a.sqlite") as ledger:
            kept = ledger.count()
            row = the_row(tmp_path)
            assert 0 < kept < 600
            # Both commit twenty times a second, each by a clock of its own: at most one commit apart.
            assert abs(int(str(row["n_ok"])) - kept) <= 2 * 64
            assert kept - 2 * 64 <= int(str(row["n_calls"])) <= server.stats.calls
            resumed, undisturbed = Tally(), Tally()
            with engine_of(tmp_path, "resumed") as engine:
                ask(engine, ledger, screens(600), tally=resumed)
        assert the_row(tmp_path)["n_runs"] == 2
    with serving(monkeypatch, mischief={"off_list": 0.05}), Ledger(calm / "a.sqlite") as ledger:
        with engine_of(calm, "calm") as engine:
            ask(engine, ledger, screens(600), tally=undisturbed)
        calls = the_row(calm)["n_calls"]
    paid = resumed.as_rows()["screen"], undisturbed.as_rows()["screen"]
    assert paid[0]["n_answers"] == paid[1]["n_answers"] == 600 < int(str(calls))
    # A repair whose first turn the kill lost is not needed the second time: a few tokens apart at most.
    assert paid[0]["output_tokens"] == paid[1]["output_tokens"]
    assert paid[0]["cost_nanousd"] == pytest.approx(paid[1]["cost_nanousd"], rel=0.005)


def test_the_record_holds_nothing_of_a_conversation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch), Ledger(tmp_path / "a.sqlite") as ledger, engine_of(tmp_path, "one") as engine:
        ask(engine, ledger, screens(5), tally=Tally())
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("usage.sqlite*"))
    said = conversation(0).messages[0].content.encode()
    assert said[:20] not in raw and b"test-key" not in raw


def test_settings_without_a_record_keep_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch), AnthropicEngine(engine_settings(tmp_path)) as engine:
        list(engine.answers(screens(2)))
    assert not list(tmp_path.glob("usage.sqlite*"))
