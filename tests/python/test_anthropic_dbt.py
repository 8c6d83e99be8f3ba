"""Whole dbt builds with ``engine: anthropic`` against the fake server: right, killed, misled and misconfigured.

Everything is the project's own but the two models of ``whole_build.COSTLY``. Longer by the environment:
``ECONOMIC_INDEX_PROOF_CONVERSATIONS`` (300), ``ECONOMIC_INDEX_PROOF_ROUNDS`` of kill -9 (2), and
``ECONOMIC_INDEX_PROOF_WHOLE=1`` for the project without any replaced model.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from dbt_project import REPO
from sources_cases import data_folder
from told_answers import expect_in, expected_answers, oracle_of, talks_to_label, told_by_draw, told_by_truth
from whole_build import Build, differing, kill_group, light_project, marts_of, rows_of, whole_project

from economic_index.engines.anthropic.settings import Settings as EngineSettings
from economic_index.engines.ledger import Ledger
from economic_index.sample import write_sample
from economic_index.sources.importer import import_conversations
from economic_index.testing.fake_messages import FakeServer, Mischief, Oracle, Settings

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("ECONOMIC_INDEX_PROOF_ROUNDS", "2"))
CONVERSATIONS = int(os.environ.get("ECONOMIC_INDEX_PROOF_CONVERSATIONS", "300"))
CONCURRENCY = EngineSettings({}).concurrency
PROJECT = whole_project if os.environ.get("ECONOMIC_INDEX_PROOF_WHOLE") else light_project
MODELS_ONLY = ("--exclude-resource-type", "test", "unit_test")
ANSWERS = (
    "select conversation_id, facet, option_id, status, reason from labels.conversation_answers order by all"
)
CALM = {"engine": "anthropic", "strategy": "compact", "mode": "direct", "audit_depth": "tables"}
#: Everything at once, each by the share of questions that it strikes.
DIRECT_MISCHIEF = {
    "rate_limited": 0.02, "rate_limited_bare": 0.02, "internal_error": 0.02, "overloaded": 0.02, "dropped": 0.02,
    "drip": 0.02, "garbled": 0.02, "truncated": 0.03, "off_list": 0.03, "off_list_always": 0.02, "refusal": 0.02,
    "max_tokens": 0.02, "max_tokens_always": 0.01, "bad_request": 0.01, "context_window": 0.01,
}  # fmt: skip
BATCH_MISCHIEF = {
    "missing": 0.03, "duplicate": 0.03, "errored": 0.03, "expired": 0.03, "truncated": 0.03, "off_list": 0.03,
    "off_list_always": 0.02, "refusal": 0.02, "max_tokens": 0.02, "bad_request": 0.01, "context_window": 0.01,
}  # fmt: skip
#: Reason of an answer that is none, by kind of lasting mischief.
LASTING = {
    "off_list_always": "option_not_offered",
    "refusal": "refusal",
    "max_tokens_always": "max_tokens",
    "context_window": "too_long",
}


@dataclass(frozen=True)
class World:
    """A warehouse with everything above the labelling model, and what the server is told about its conversations."""

    base: Build
    oracle: Oracle
    told_answers: Path

    @cached_property
    def expected(self) -> dict[tuple[str, str], set[str | None]]:
        """Options by conversation and facet, as they must be."""
        found: dict[tuple[str, str], set[str | None]] = {}
        for row in pq.read_table(self.told_answers).to_pylist():
            found.setdefault((row["conversation_id"], row["facet"]), set()).add(row["option_id"])
        return found


@dataclass(frozen=True)
class Undisturbed:
    """A build that nothing disturbed: its marts, its answers, and how many questions it asked."""

    marts: dict[str, bytes]
    answers: list[tuple[Any, ...]]
    questions: int
    usage_calls: str


@contextmanager
def told(
    world: World, home: Path, mischief: dict[str, float] | None = None, **settings: Any
) -> Iterator[tuple[Build, FakeServer]]:
    """A twin of the world's warehouse and the server that it asks."""
    with FakeServer(world.oracle, Settings(**settings), Mischief(dict(mischief or {}))) as server:
        yield (
            world.base.twin(home, ANTHROPIC_BASE_URL=server.url, ANTHROPIC_API_KEY="sk-never-print-me"),
            server,
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    home = tmp_path_factory.mktemp("world")
    conversations, truth = home / "conversations.parquet", home / "truth.parquet"
    write_sample(CONVERSATIONS, 11, conversations, truth, REPO / "seeds" / "sample")
    base = Build(PROJECT(home), home / "base", {"conversations": str(conversations), **CALM})
    base.make_keys()
    base.must("build", "--exclude", "conversation_answers+", *MODELS_ONLY)
    talks = talks_to_label(base.private)
    truths = told_by_truth(talks, truth)
    answers = home / "told.parquet"
    pq.write_table(expected_answers(talks, truths), answers)
    return World(base, oracle_of(truths, base.private), answers)


@pytest.fixture(scope="module")
def undisturbed(world: World, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """``dbt build`` with all tests of the project, green."""
    with told(world, tmp_path_factory.mktemp("calm") / "run", latency=0.02) as (build, server):
        said = build.must("build", "--select", "conversation_answers+")
        assert "PASS conservation_of_input" in said and "PASS conservation_of_classified" in said
        assert server.stats.calls == len(server.stats.paid) > 3 * CONVERSATIONS
        return Undisturbed(marts_of(build), rows_of(build, ANSWERS), server.stats.calls, usage_calls(build))


def usage_calls(build: Build) -> str:
    """What the manifest says of the calls that the answers cost; retries and lost answers are not among them."""
    path = str(build.warehouse / "release.duckdb")
    with duckdb.connect(path, read_only=True) as link:
        row = link.execute("select value from marts.release_manifest where item = 'usage_calls'").fetchone()
    assert row is not None
    return str(row[0])


def expectation(world: World, home: Path) -> Build:
    """The project with the told answers in place of the labelling model, built."""
    project = home / "project"
    shutil.copytree(world.base.project, project)
    expect_in(project)
    build = world.base.twin(home / "run", project, TOLD_ANSWERS=str(world.told_answers))
    build.must("build", "--select", "conversation_answers+", *MODELS_ONLY)
    return build


def test_marts_are_those_of_the_answers_that_the_server_was_told(
    world: World, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """Every mart to the byte, ``release_id`` included, which hashes every fact and every label."""
    expected = marts_of(expectation(world, tmp_path))
    assert len(expected) > 25 and b"published" in expected["task_usage"]
    assert differing(expected, undisturbed.marts) == []


def test_tree_gives_the_same_labels(world: World, tmp_path: Path) -> None:
    """The paper's procedure, a call a facet and a call a level, through dbt: the very labels that were told."""
    with told(world, tmp_path / "run") as (build, server):
        build.must("run", "--select", "conversation_answers", strategy="tree")
        assert server.stats.calls > 6 * CONVERSATIONS
        assert labels_that_differ(world, build) == {}


def labels_that_differ(world: World, build: Build) -> dict[tuple[str, str], set[str | None]]:
    """What conversation and facet were given that they should not have been, answers that are none apart."""
    found: dict[tuple[str, str], set[str | None]] = {}
    for name, facet, option, status, reason in rows_of(build, ANSWERS):
        if status == "ok":
            found.setdefault((name, facet), set()).add(option)
        else:
            assert reason, "an answer that is none has a reason"
    return {key: options for key, options in found.items() if world.expected.get(key) != options}


# --- killed ---


def paid_again(server: FakeServer) -> int:
    """Answers paid beyond the first of each question, repairs apart: those pay a question twice by intent."""
    return sum(server.stats.paid.values()) - len(server.stats.paid) - server.mischief.struck["off_list"]


def kill_somewhere(
    build: Build, server: FakeServer, draw: random.Random, span: float, anywhere: bool
) -> int | None:
    """Start the labelling model, kill dbt at a random moment; the answers that were in flight, None if it ended.

    In flight is what the server works on, and what it has answered in the last 0.2 s: the client commits every 0.05 s.
    ``anywhere``: at any moment of dbt's life, start-up included; else up to ``span`` seconds after its first call.
    """
    process = build.start("run", "--select", "conversation_answers")
    seen, patience = contacts(server), draw.uniform(0.0, 7.0) if anywhere else 25.0
    give_up = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < give_up and (anywhere or contacts(server) == seen):
        time.sleep(0.01)
    if not anywhere:
        time.sleep(draw.uniform(0.0, span))
    before = sum(server.stats.paid.values())
    time.sleep(0.2)
    if not kill_group(process):
        process.communicate()
        assert process.returncode == 0
        return None
    return server.stats.in_flight + sum(server.stats.paid.values()) - before


def contacts(server: FakeServer) -> int:
    return server.stats.attempts + server.stats.batches_created


@pytest.mark.parametrize("mode", ["direct", pytest.param("batch", marks=pytest.mark.proof)])
def test_killed_and_resumed(world: World, undisturbed: Undisturbed, tmp_path: Path, mode: str) -> None:
    """kill -9 of dbt and all its children, again and again: the marts in the end are those of the calm run."""
    faults = {"overloaded": 0.02, "off_list": 0.02}
    # Batches go on without their client: they take long enough for all rounds to find work under way.
    pace = {"latency": 0.1} if mode == "direct" else {"batch_seconds": max(0.5, ROUNDS / 4)}
    draw = random.Random(f"{mode}{ROUNDS}")
    span = 1.5 * (undisturbed.questions / 300 if mode == "direct" else 12.0) / ROUNDS
    with told(world, tmp_path / "run", faults, **pace) as (build, server):
        build.variables["mode"] = mode
        in_flight: list[int] = []
        is_over = False
        for _ in range(4 * ROUNDS):
            if len(in_flight) == ROUNDS:
                break
            lost = kill_somewhere(build, server, draw, span, is_over or draw.random() < 0.25)
            if lost is not None:
                in_flight.append(lost)
            else:
                is_over = True
        killed_after = len(server.stats.paid)
        build.must("build", "--select", "conversation_answers+", *MODELS_ONLY)
        twice, questions = paid_again(server), len(server.stats.paid)
        asked = contacts(server)
        build.must("run", "--select", "conversation_answers")
        assert contacts(server) == asked, "a full ledger asks nothing"
        print(
            f"{mode}: {len(in_flight)} kills, the last with {killed_after:,} of {questions:,} questions answered; "
            f"{twice} paid twice, {sum(in_flight)} in flight when killed"
        )
        assert len(in_flight) == ROUNDS
        assert questions == undisturbed.questions
        assert twice <= (sum(in_flight) if mode == "direct" else 0)
        assert rows_of(build, ANSWERS) == undisturbed.answers
        assert differing(marts_of(build), undisturbed.marts) == []
        assert usage_calls(build) == undisturbed.usage_calls != "0"


# --- misled ---


@pytest.mark.parametrize(
    ("mode", "mischief", "settings"),
    [
        ("direct", DIRECT_MISCHIEF, {"latency": 0.01}),
        (
            "batch",
            BATCH_MISCHIEF,
            {"batch_seconds": 0.4, "lose_batch_answers": frozenset({1}), "expire_batches": frozenset({2})},
        ),
    ],
)
def test_every_misbehaviour_at_once(
    world: World, tmp_path: Path, mode: str, mischief: dict[str, float], settings: dict[str, Any]
) -> None:
    """The build is green, the conservation law holds, every label is right or has the reason why there is none."""
    with told(world, tmp_path / "run", mischief, **settings) as (build, server):
        said = build.must(
            "build", "--select", "conversation_answers+", "--exclude", "path:models/marts+", mode=mode
        )
        struck = dict(server.mischief.struck)
    assert "PASS conservation_of_input" in said
    assert set(struck) == set(mischief), "every kind of misbehaviour happened"
    assert labels_that_differ(world, build) == {}
    outcomes = rows_of(
        build, "select outcome, outcome_reason, count(*) from facts.fct_conversations group by all"
    )
    assert sum(n for _, _, n in outcomes) == CONVERSATIONS, "every row of the input has an outcome"
    assert all(reason for outcome, reason, _ in outcomes if outcome != "classified")
    totals = Counter[str]()
    for outcome, _, n in outcomes:
        totals[outcome] += n
    assert totals["classified"] > CONVERSATIONS / 2 and totals["failed"] and totals["unclassified"]
    reasons = {reason for _, reason, _ in outcomes}
    wanted = {reason for kind, reason in LASTING.items() if kind in mischief}
    rejected = "rejected_400" if mode == "direct" else "rejected"
    assert wanted | {rejected} <= reasons
    answers = Counter(
        row[0]
        for row in rows_of(build, f"select conversation_id from ({ANSWERS}) where facet = 'occupational'")
    )
    assert set(answers.values()) == {1}, "one screen for each, whatever came back twice"


# --- misconfigured ---


def sentence_of(build: Build, world: World, **changes: Any) -> str:
    """What a user reads when the labelling model cannot go on; see ``stopped``."""
    done = build.run("run", "--select", "conversation_answers", **changes)
    return stopped(build, world, done.returncode, done.stdout)


def stopped(build: Build, world: World, code: int | None, said: str) -> str:
    """The one sentence that was said; nothing else of the run is left behind but whole answers."""
    log = (build.home / "logs" / "dbt.log").read_text(encoding="utf-8", errors="replace")
    assert code == 1, said[-2_000:]
    lines = [line.strip() for line in said.splitlines() if "UserError: " in line]
    assert len(lines) == 1, said[-2_000:]
    assert "Traceback" not in said and "Traceback" not in log
    secrets = [build.environment["ANTHROPIC_API_KEY"], *list(first_messages(world))[:50]]
    assert not [secret for secret in secrets if len(secret) > 12 and (secret in said or secret in log)]
    tables = rows_of(
        build, "select table_name from duckdb_tables() where table_name like 'conversation_answers%'"
    )
    assert tables == [], "no table of a run that failed"
    with sqlite3.connect(build.warehouse / "answers.sqlite") as link:
        assert link.execute("pragma integrity_check").fetchall() == [("ok",)]
    sentence = lines[0].removeprefix("UserError: ")
    assert sentence.endswith(".")
    return sentence


def first_messages(world: World) -> Iterator[str]:
    for talk in talks_to_label(world.base.private):
        yield " ".join(talk.first_message.split())[:80]


def test_what_users_read_when_it_cannot_start(world: World, tmp_path: Path) -> None:
    settings = {"key": "sk-the-right-one", "models": ("claude-haiku-4-5",)}
    with told(world, tmp_path / "run", None, **settings) as (build, server):
        assert "refused the key in ANTHROPIC_API_KEY (401)" in sentence_of(build, world)
        right = {**build.environment, "ANTHROPIC_API_KEY": "sk-the-right-one"}
        build.environment = {**right, "ANTHROPIC_BASE_URL": f"{server.url}/elsewhere"}
        assert "check vars.models and ANTHROPIC_BASE_URL" in sentence_of(build, world)
        build.environment = {**right, "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
        assert "cannot be reached; check the network" in sentence_of(build, world)
        build.environment = right
        unknown = sentence_of(build, world, models={"default": "claude-nonesuch-9"})
        assert "does not know the model claude-nonesuch-9 (404)" in unknown
        with Ledger(build.warehouse / "answers.sqlite") as ledger:
            assert ledger.count() == 0
        assert server.stats.calls == 0


def test_a_key_that_is_withdrawn_and_a_disk_that_is_full(world: World, tmp_path: Path) -> None:
    """What was answered is kept, no table is half-written, and the run goes on where it was."""
    key = "sk-never-print-me"
    with told(world, tmp_path / "run", None, latency=0.1, key=key) as (build, server):
        process = started(build, server, 150)
        server.settings.key = "another"
        said, _ = process.communicate()
        assert "refused the key" in stopped(build, world, process.returncode, said)
        with Ledger(build.warehouse / "answers.sqlite") as ledger:
            kept = ledger.count()
        assert 100 <= kept <= server.stats.calls
        server.settings.key = key
        if hasattr(resource, "prlimit"):
            # No file may grow by more than this from now on: a full disk, as far as a program can tell. Files of
            # dbt's own are larger, and are to be on another disk.
            build.environment["DBT_WRITE_JSON"] = "false"
            process = started(build, server, server.stats.calls + 50)
            sizes = [
                path.stat().st_size
                for path in (*build.warehouse.glob("answers.*"), *build.home.glob("logs/*"))
            ]
            most = max(sizes) + 100_000
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
            said, _ = process.communicate()
            assert "free its disk" in stopped(build, world, process.returncode, said)
        build.must("run", "--select", "conversation_answers")
        assert labels_that_differ(world, build) == {}
        assert sum(server.stats.paid.values()) - len(server.stats.paid) <= 2 * (2 * CONCURRENCY + 200)


def started(build: Build, server: FakeServer, calls: int) -> subprocess.Popen[str]:
    """dbt at work on the labelling model, once the server has answered so many calls."""
    process = build.start("run", "--select", "conversation_answers")
    while process.poll() is None and server.stats.calls < calls:
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()[0][-2_000:]
    return process


# --- real conversations ---


@pytest.mark.data
@pytest.mark.proof
def test_real_conversations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of the public conversations: the marts are those of the answers that were told."""
    folder = data_folder() / "conversations"
    base = Build(PROJECT(tmp_path), tmp_path / "base", {"sample_n": CONVERSATIONS, **CALM})
    base.make_keys()
    monkeypatch.setenv("ECONOMIC_INDEX_WAREHOUSE", str(base.warehouse))
    real = tmp_path / "real.parquet"
    sources = [str(path) for path in sorted(folder.glob("*.jsonl.gz"))]
    import_conversations(sources, real, accounts="per-conversation", started_at="2025-01-01")
    base.variables["conversations"] = str(real)
    base.must("build", "--exclude", "conversation_answers+", *MODELS_ONLY)
    talks = talks_to_label(base.private)
    truths = told_by_draw(talks, [task for (task,) in rows_of(base, "select task_id from reference.tasks")])
    answers = tmp_path / "told.parquet"
    pq.write_table(expected_answers(talks, truths), answers)
    world = World(base, oracle_of(truths, base.private), answers)
    with told(world, tmp_path / "run") as (build, _):
        build.must("build", "--select", "conversation_answers+", *MODELS_ONLY)
        assert labels_that_differ(world, build) == {}
        got = marts_of(build)
    expected = marts_of(expectation(world, tmp_path / "expected"))
    assert b"published" in expected["task_usage"]
    assert differing(expected, got) == []
