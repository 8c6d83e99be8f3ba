"""kill -9 at random moments, resumed: the labels are byte for byte those of an undisturbed run, and little is
paid twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from anthropic_child import CONCURRENCY
from anthropic_helpers import serving

from economic_index.engines.ledger import Ledger
from economic_index.testing.fake_messages import FakeServer

CHILD = Path(__file__).with_name("anthropic_child.py")


def start(server: FakeServer, mode: str, strategy: str, folder: Path, count: int) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "ANTHROPIC_BASE_URL": server.url,
        "ANTHROPIC_API_KEY": "test-key",
        "OMP_NUM_THREADS": "1",
        "ECONOMIC_INDEX_PROJECT": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, str(CHILD), mode, strategy, str(folder), str(count)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(server: FakeServer, mode: str, strategy: str, folder: Path, count: int) -> bytes:
    child = start(server, mode, strategy, folder, count)
    _, errors = child.communicate(timeout=300)
    assert child.returncode == 0, errors.decode()[-2_000:]
    return (folder / "labels.csv").read_bytes()


def paid_again(server: FakeServer) -> int:
    return sum(server.stats.paid.values()) - len(server.stats.paid)


def killed_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, strategy: str, count: int, rounds: int
) -> None:
    faults = {"overloaded": 0.02, "off_list": 0.03, "refusal": 0.02, "bad_request": 0.01}
    calm, wild = tmp_path / "calm", tmp_path / "wild"
    calm.mkdir()
    wild.mkdir()
    draw = random.Random(f"{mode}{strategy}{rounds}")
    pace = {"latency": 0.03} if mode == "direct" else {"batch_seconds": 0.3}
    with serving(monkeypatch, mischief=faults, **pace) as server:
        expected = finish(server, mode, strategy, calm, count)
        questions = len(server.stats.paid)
        assert paid_again(server) == server.mischief.struck["off_list"], (
            "the repairs are paid, and nothing else twice"
        )
    kills = 0
    with serving(monkeypatch, mischief=faults, **pace) as server:
        for _ in range(rounds):
            child = start(server, mode, strategy, wild, count)
            before = server.stats.attempts + server.stats.batches_created
            deadline = time.monotonic() + 30
            while child.poll() is None and time.monotonic() < deadline:
                if server.stats.attempts + server.stats.batches_created > before:
                    break
                time.sleep(0.005)
            time.sleep(draw.random() * (0.5 if mode == "direct" else 0.6))
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
                kills += 1
            child.communicate(timeout=30)
        got = finish(server, mode, strategy, wild, count)
        # A repair pays the same question twice by intent, once for each time it is asked.
        repairs = server.mischief.struck["off_list"]
        twice = paid_again(server) - repairs
        with Ledger(wild / "answers.sqlite") as ledger:
            kept = ledger.count()
        before = server.stats.attempts + server.stats.batch_items
        assert finish(server, mode, strategy, wild, count) == expected, "a run on a full ledger"
        asked_again = server.stats.attempts + server.stats.batch_items - before
    assert kills >= max(1, rounds // 2), "the run is too short to be killed; give it more conversations"
    assert got == expected
    assert len(server.stats.paid) == questions
    assert kept > 0
    # What is not stored when the process dies: the calls in flight, and what arrived since the last commit.
    bound = kills * 3 * CONCURRENCY if mode == "direct" else 0
    print(f"{mode} {strategy}: {kills} kills, {twice} of {questions} paid twice, {asked_again} asked again")
    assert twice <= bound, f"{twice} answers were paid for twice in {kills} kills"
    assert asked_again <= count * 0.1, "only what failed (a permanent 400) is asked again"


@pytest.mark.parametrize(("mode", "strategy"), [("direct", "compact"), ("batch", "compact")])
def test_killed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, strategy: str) -> None:
    killed_often(tmp_path, monkeypatch, mode, strategy, 220, 2)


@pytest.mark.proof
@pytest.mark.parametrize(("mode", "strategy"), [("direct", "tree"), ("batch", "tree")])
def test_killed_twenty_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, strategy: str
) -> None:
    killed_often(tmp_path, monkeypatch, mode, strategy, 700, 20)


@pytest.mark.slow
def test_two_processes_on_one_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, latency=0.01) as server:
        children = [start(server, "direct", "compact", tmp_path, 150) for _ in range(2)]
        for child in children:
            _, errors = child.communicate(timeout=300)
            assert child.returncode == 0, errors.decode()[-2_000:]
        calm = tmp_path / "calm"
        calm.mkdir()
        assert (tmp_path / "labels.csv").read_bytes() == finish(server, "direct", "compact", calm, 150)
