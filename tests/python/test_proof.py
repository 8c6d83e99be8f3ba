"""``economic-index prove``: the shows of a release, counted here and now, and exit code 1 as soon as one fails."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from released import reference_of, small_release, tampered
from typer.testing import CliRunner

from economic_index.cli import app, register_commands
from economic_index.disclosure.mass import mass_of
from economic_index.disclosure.proof import COUNTS, build_synthetic, describe, prove
from economic_index.errors import UserError
from economic_index.sample.synthetic import canary_tokens


@pytest.fixture(scope="module", autouse=True)
def commands() -> None:
    if not app.registered_commands:
        register_commands()


def test_the_attacker_gets_nothing_where_naive_suppression_gives_away_much() -> None:
    built = small_release()
    proof = prove(built.candidate, built.private, reference_of(built))
    assert proof.holds
    assert proof.attacked["n_withheld"] > 500
    assert [proof.attacked[name] for name in COUNTS[1:]] == [0, 0, 0]
    assert sum(table["n_exact"] for table in proof.naive.values()) > 20
    assert proof.n_texts > 10_000 and proof.n_private_values > 1_000
    assert all(f["narrowest"] is None or f["narrowest"] >= 10 for f in proof.families.values())
    text = describe(proof)
    assert "naive 15/5 of the same data" in text and "narrowest interval" in text and ": holds" in text
    assert json.loads(json.dumps(proof.as_dict()))["holds"] is True


def test_mass_is_that_of_the_cells_counted_alone() -> None:
    built = small_release()
    table = {row.table: row for row in mass_of(built.private)}["task x pattern"]
    with duckdb.connect(str(built.private), read_only=True) as connection:
        shown = connection.execute(
            "select sum(n), count(*) from wall.wall_spine_blocks where block_level = 'task' and collaboration_pattern <> '*'"
        ).fetchone()
        answered = connection.execute(
            "select count(*) from facts.fct_conversations where outcome = 'classified' and collaboration_pattern is not null"
        ).fetchone()
    assert shown is not None and answered is not None
    assert (table.n_conversations, table.n_shown) == (answered[0], shown[1])
    assert table.wall == pytest.approx(100 * float(shown[0]) / answered[0])
    assert table.wall <= table.primary <= table.thresholds <= 100
    assert table.lost == pytest.approx(table.thresholds - table.wall)


@pytest.mark.parametrize(
    "statement",
    [
        "update skill_usage set n_conversations = n_conversations + 1 where status = 'published'",
        "update task_usage set task = 'a word of somebody' where task_id = (select min(task_id) from task_usage)",
    ],
)
def test_a_leak_and_a_strange_text_do_not_hold(statement: str, tmp_path: Path) -> None:
    built = small_release()
    path = tampered(built, tmp_path / "release.duckdb", statement)
    proof = prove(path, tmp_path / "none.duckdb", reference_of(built))
    assert not proof.holds and not proof.report.is_clean
    assert proof.n_strange_texts == ("task_usage" in statement) * proof.report.n_leaks
    assert proof.naive == {} and proof.mass == []


def test_a_canary_does_not_hold(tmp_path: Path) -> None:
    built = small_release()
    tokens = tmp_path / "canaries.txt"
    tokens.write_text("\n".join(canary_tokens(5)) + "\n", encoding="utf-8")
    path = tampered(
        built, tmp_path / "release.duckdb", f"comment on table skill_usage is 'of {canary_tokens(5)[3]}'"
    )
    proof = prove(path, tmp_path / "none.duckdb", reference_of(built), canaries=tokens)
    assert (proof.n_canaries, proof.n_canaries_found) == (5, 1)
    assert not proof.holds and proof.report.is_clean


def test_the_command_prints_json_and_its_exit_code_says_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built = small_release()
    monkeypatch.setenv("ECONOMIC_INDEX_WAREHOUSE", str(built.private.parent))
    monkeypatch.setenv("ECONOMIC_INDEX_PROJECT", str(built.seeds.parent.parent))
    worlds = tmp_path / "worlds.parquet"
    done = CliRunner().invoke(app, ["prove", "--json", "--worlds", str(worlds)])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["holds"] and document["naive_suppression"]
    with duckdb.connect() as connection:
        row = connection.execute(
            "select count(distinct (rank, bound)) from read_parquet(?)", [str(worlds)]
        ).fetchone()
    assert row == (40,)
    leaky = tampered(built, tmp_path / "leaky.duckdb", "create view peek as select 1 as n")
    assert CliRunner().invoke(app, ["prove", str(leaky)]).exit_code == 1
    both = CliRunner().invoke(app, ["prove", str(leaky), "--synthetic", "5000"])
    assert isinstance(both.exception, UserError)


def test_canaries_are_distinct_and_always_the_same() -> None:
    tokens = canary_tokens()
    assert len(set(tokens)) == 200 and tokens == canary_tokens()
    assert min(len(token) for token in tokens) > 8
    assert sum("@" in token for token in tokens) == 40


@pytest.mark.slow
def test_synthetic_conversations_carry_canaries_that_stay_inside(tmp_path: Path) -> None:
    made = build_synthetic(3_000, tmp_path)
    with duckdb.connect(str(made.private), read_only=True) as connection:
        row = connection.execute(
            "select count(distinct product), count(*) from facts.fct_conversations where product <> 'chat'"
        ).fetchone()
    assert row is not None and row[0] == 200 and row[1] >= 200
    proof = prove(made.candidate, made.private, made.folders, canaries=made.canaries, is_partial=True)
    assert (proof.n_canaries, proof.n_canaries_found, proof.n_private_found) == (200, 0, 0)
    assert proof.n_private_values > 3_000 and proof.attacked["n_withheld"] > 500
    assert proof.n_strange_texts == 0
