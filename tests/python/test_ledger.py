"""The answer ledger: nothing that was answered is lost, nothing is asked twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from economic_index.conversation import Conversation, Message
from economic_index.engines import asking
from economic_index.engines.asking import ask
from economic_index.engines.base import Answer, Chosen, Field, Option, Request, Usage
from economic_index.engines.ledger import Ledger, decode_answer, encode_answer
from economic_index.engines.replay import ReplayEngine
from economic_index.errors import UserError

FIELD = Field("colour", "Which colour?", "choice", (Option("red", "Red"), Option("blue", "Blue")))


def request(text: str) -> Request:
    return Request("facets", Conversation("c", (Message("user", text),)), (FIELD,))


def ok(option: str = "red") -> Answer:
    return Answer("ok", {"colour": Chosen((option,), (0.75,))}, usage=Usage(1, 10, 0, 0, 3))


def key_of(number: int) -> bytes:
    return sha256(str(number).encode()).digest()


class Scripted:
    """An engine whose answer is decided by the text; it remembers what it was asked."""

    name = "scripted"

    def __init__(self, *, fail_after: int | None = None, answer: Answer | None = None) -> None:
        self.asked: list[str] = []
        self.fail_after = fail_after
        self.answer = answer or ok()

    def key(self, request: Request) -> bytes:
        return sha256(request.conversation.content_hash.encode()).digest()

    def answers(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        for position in reversed(range(len(requests))):
            if self.fail_after is not None and len(self.asked) >= self.fail_after:
                raise UserError("The scripted engine stops here.")
            self.asked.append(requests[position].conversation.messages[0].content)
            yield position, self.answer

    def identity(self) -> dict[str, str]:
        return {"engine": self.name}


@given(
    st.sampled_from(["ok", "invalid", "refused", "failed"]),
    st.dictionaries(
        st.text(max_size=8),
        st.builds(
            Chosen,
            st.lists(st.text(max_size=5), max_size=3).map(tuple),
            st.lists(st.floats(0, 1), max_size=3).map(tuple),
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
        ),
        max_size=3,
    ),
    st.none() | st.text(),
    st.builds(Usage, *[st.integers(0, 2**40)] * 5),
)
def test_an_answer_survives_encoding(status, values, reason, usage) -> None:
    answer = Answer(status, values, reason, reason, usage)
    assert decode_answer(encode_answer(answer)) == answer


def test_lone_surrogates_in_a_summary_are_kept(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.put(key_of(1), "summary", Answer("ok", summary="a\ud800b"))
        assert ledger.get_many([key_of(1)])[key_of(1)].summary == "a\ud800b"


def test_round_trip_and_first_answer_stays(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    with Ledger(path) as ledger:
        assert ledger.put_many([(key_of(1), "s", ok("red")), (key_of(1), "s", ok("blue"))]) == {}
        assert ledger.put(key_of(1), "s", ok("blue")) == ok("red")
        assert ledger.put(key_of(2), "s", ok("blue")) == ok("blue")
    with Ledger(path) as ledger:
        assert ledger.get_many([key_of(3), key_of(2), key_of(1), key_of(1)]) == {
            key_of(1): ok("red"),
            key_of(2): ok("blue"),
        }
        assert ledger.count() == 2


def test_every_file_is_private(tmp_path: Path) -> None:
    os.umask(0)
    try:
        with Ledger(tmp_path / "answers.sqlite") as ledger:
            ledger.put(key_of(1), "s", ok())
            files = sorted(tmp_path.iterdir())
            assert [f.name for f in files] == ["answers.sqlite", "answers.sqlite-shm", "answers.sqlite-wal"]
            assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    finally:
        os.umask(0o022)


def test_settings_that_carry_the_promise(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert ledger._link.execute("pragma journal_mode").fetchone() == ("wal",)
        assert ledger._link.execute("pragma synchronous").fetchone() == (2,)


def test_no_text_of_a_conversation_reaches_the_file(tmp_path: Path) -> None:
    engine = Scripted()
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ask(engine, ledger, [request("needle in the haystack")])
    held = b"".join(f.read_bytes() for f in tmp_path.iterdir())
    assert b"colour" in held
    assert b"needle" not in held


@pytest.mark.parametrize("content", [b"x" * 5000, b"short"])
def test_another_kind_of_file_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "l.sqlite"
    path.write_bytes(content)
    with pytest.raises(UserError, match="answer ledger"):
        Ledger(path)


def test_another_sqlite_file_and_a_newer_version_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as link:
        link.execute("create table t (x)")
    with pytest.raises(UserError, match="not an answer ledger"):
        Ledger(other)
    newer = tmp_path / "newer.sqlite"
    Ledger(newer).close()
    with sqlite3.connect(newer) as link:
        link.execute("pragma user_version = 99")
    with pytest.raises(UserError, match="newer version"):
        Ledger(newer)


def test_a_damaged_answer_is_a_sentence(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.put(key_of(1), "s", ok())
        ledger._link.execute("update answers set answer = '[]'")
        with pytest.raises(UserError, match="cannot be read"):
            ledger.get_many([key_of(1)])


def test_threads_write_the_same_keys(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:

        def write(option: str) -> None:
            for start in range(0, 400, 20):
                ledger.put_many([(key_of(n), "s", ok(option)) for n in range(start, start + 20)])

        threads = [threading.Thread(target=write, args=(o,)) for o in ("red", "blue", "red", "blue")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ledger.count() == 400
        stored = ledger.get_many([key_of(n) for n in range(400)])
    assert {a.values["colour"].options[0] for a in stored.values()} <= {"red", "blue"}


WRITER = """
import sys
from hashlib import sha256
from pathlib import Path
from economic_index.engines.base import Answer, Chosen
from economic_index.engines.ledger import Ledger
start, stop, step = map(int, sys.argv[2:5])
ledger = Ledger(Path(sys.argv[1]))
for n in range(start, stop, step):
    rows = [(sha256(str(m).encode()).digest(), "s", Answer("ok", {"f": Chosen((sys.argv[5],), (1.0,))}))
            for m in range(n, min(n + step, stop))]
    ledger.put_many(rows, {"engine": sys.argv[5]})
    print(min(n + step, stop), flush=True)
"""


def writer(path: Path, *args: int | str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    processes = [writer(path, 0, 600, 7, "a"), writer(path, 0, 600, 11, "b")]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    with Ledger(path) as ledger:
        assert ledger.count() == 600
        assert sorted(o["engine"] for o in ledger.origins()) == ["a", "b"]


def test_kill_9_loses_no_committed_answer(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    process = writer(path, 0, 1_000_000, 3, "a")
    assert process.stdout is not None
    for _ in range(40):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.wait()
    committed = int(rest[-1]) if rest else 120
    assert committed >= 120
    with Ledger(path) as ledger:
        assert len(ledger.get_many([key_of(n) for n in range(committed)])) == committed


def test_ask_sends_only_what_is_missing(tmp_path: Path) -> None:
    engine = Scripted()
    progress: list[tuple[int, int]] = []
    with Ledger(tmp_path / "l.sqlite") as ledger:
        first = ask(engine, ledger, [request("a"), request("b"), request("a")], lambda *p: progress.append(p))
        assert first == [ok(), ok(), ok()]
        assert sorted(engine.asked) == ["a", "b"]
        assert progress[0] == (0, 3) and progress[-1] == (3, 3)
        ask(engine, ledger, [request("b"), request("c")])
        assert sorted(engine.asked) == ["a", "b", "c"]


def test_ask_checks_stores_and_retries_by_status(tmp_path: Path) -> None:
    invented = Answer("ok", {"colour": Chosen(("green",), (1.0,))})
    for number, (given_answer, status, again) in enumerate(
        [
            (invented, "invalid", 1),
            (Answer("refused", reason="refusal"), "refused", 1),
            (Answer("failed", reason="budget"), "failed", 2),
            (ok(), "ok", 1),
        ]
    ):
        engine = Scripted(answer=given_answer)
        with Ledger(tmp_path / f"{number}.sqlite") as ledger:
            assert ask(engine, ledger, [request("a")])[0].status == status
            assert ask(engine, ledger, [request("a")])[0].status == status
        assert len(engine.asked) == again


def test_what_arrived_before_an_error_is_kept(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        with pytest.raises(UserError, match="stops here"):
            ask(Scripted(fail_after=3), ledger, [request(t) for t in "abcde"])
        assert ledger.count() == 3


def test_a_slow_engine_is_committed_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "COMMIT_SECONDS", 0.05)
    path = tmp_path / "l.sqlite"
    seen: list[int] = []

    class Slow(Scripted):
        def answers(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
            yield 0, ok()
            deadline = time.monotonic() + 20
            with Ledger(path) as other:
                while not other.count() and time.monotonic() < deadline:
                    time.sleep(0.02)
                seen.append(other.count())
            yield 1, ok()

    with Ledger(path) as ledger:
        ask(Slow(), ledger, [request("a"), request("b")])
    assert seen == [1]


def test_a_faster_process_wins(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"

    class Raced(Scripted):
        def answers(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
            with Ledger(path) as other:
                other.put(self.key(requests[0]), "facets", ok("blue"))
            yield 0, ok("red")

    with Ledger(path) as ledger:
        assert ask(Raced(), ledger, [request("a")]) == [ok("blue")]


def test_an_engine_that_forgets_is_a_fault(tmp_path: Path) -> None:
    class Forgetful(Scripted):
        def answers(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
            return iter(())

    with Ledger(tmp_path / "l.sqlite") as ledger, pytest.raises(RuntimeError, match="without an answer"):
        ask(Forgetful(), ledger, [request("a")])


def test_replay_answers_from_the_ledger_and_fails_loudly_on_a_miss(tmp_path: Path) -> None:
    engine = Scripted()
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ask(engine, ledger, [request("a")])
        replay = ReplayEngine(engine)
        assert ask(replay, ledger, [request("a")]) == [ok()]
        assert replay.identity()["replayed_engine"] == "scripted"
        with pytest.raises(UserError, match="no answer for 2 requests of engine scripted"):
            ask(replay, ledger, [request("a"), request("b"), request("c")])
    assert engine.asked == ["a"]


@pytest.mark.slow
def test_five_million_answers_open_at_once(tmp_path: Path) -> None:
    """Opening and looking up do not grow with the file; the rows are written by SQL, not through the API."""
    path = tmp_path / "l.sqlite"
    Ledger(path).close()
    with sqlite3.connect(path) as link:
        link.execute("pragma synchronous = off")
        link.execute("insert into origins (origin) values ('{}')")
        link.execute(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000000) "
            "insert into answers select cast(printf('%032d', i) as blob), 's', '{\"s\":\"ok\",\"v\":{}}', "
            "1, 0 from n"
        )
    start = time.monotonic()
    with Ledger(path) as ledger:
        found = ledger.get_many([f"{n:032d}".encode() for n in range(4_000_000, 4_002_000)])
        seconds = time.monotonic() - start
    assert len(found) == 2000
    assert seconds < 1.0
