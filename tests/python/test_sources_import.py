"""``economic-index import``: what goes in comes out, whole or not at all, and the reader counts the same."""

from __future__ import annotations

import errno
import json
import stat
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer
from sources_cases import USER, data_folder, good, read, reasons, write_csv, write_jsonl
from typer.testing import CliRunner

from economic_index.commands.import_ import register
from economic_index.errors import UserError
from economic_index.keys import load_key
from economic_index.sources.contract import CANONICAL_SCHEMA, PER_CONVERSATION, Reason
from economic_index.sources.files import origin_of
from economic_index.sources.importer import import_conversations
from economic_index.sources.reader import Population

SECRET = "Zaphod Beeblebrox"


@pytest.fixture(autouse=True)
def own_warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECONOMIC_INDEX_WAREHOUSE", str(tmp_path / "warehouse"))


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    rows = [
        good(conversation_id="a", product="web", organization_id="acme"),
        good(conversation_id="b", account_id=None, country_code="NA", safety_flagged=True, input_tokens=4),
        good(conversation_id="c", messages=[{"role": "wizard", "content": SECRET}]),
        good(conversation_id=f"{SECRET}'s mail", messages=[], product="api"),
        f'{{"broken": "{SECRET}',
        good(conversation_id="a"),
    ]
    return write_jsonl(tmp_path / "mixed.jsonl", rows)


def test_rows_are_conserved_and_carry_their_reasons(tmp_path: Path, mixed: Path) -> None:
    output = tmp_path / "out.parquet"
    summary = import_conversations([str(mixed)], output)
    assert (summary.rows, summary.admitted, summary.without_account) == (6, 3, 1)
    assert summary.quarantined == {"unknown_role": 1, "no_messages": 1, "unreadable_json": 1}
    assert pq.read_schema(output).remove_metadata() == CANONICAL_SCHEMA
    direct, through = read(mixed, key=load_key("pseudonyms")), read(output, key=load_key("pseudonyms"))
    assert reasons(through) == reasons(direct)
    apart = {"source_file", "conversation_id", "sample_draw"}
    for before, after in zip(direct, through, strict=True):
        assert {k: v for k, v in before.items() if k not in apart} == {
            k: v for k, v in after.items() if k not in apart
        }
        if before["quarantine_reason"] is None or before["conversation_id"] == "c":
            assert before["conversation_id"] == after["conversation_id"]


def test_population_is_the_same_before_and_after_import(tmp_path: Path, mixed: Path) -> None:
    output = tmp_path / "out.parquet"
    import_conversations([str(mixed)], output)
    for population in (Population(products=["web"]), Population(organizations=["acme"])):
        before, after = (read(p, key=load_key("pseudonyms"), population=population) for p in (mixed, output))
        assert [r["is_in_population"] for r in before] == [r["is_in_population"] for r in after]
        assert sum(r["is_in_population"] for r in before) in (3, 4)


def test_no_raw_id_and_no_quarantined_text_in_the_file(tmp_path: Path, mixed: Path) -> None:
    output = tmp_path / "out.parquet"
    import_conversations([str(mixed)], output)
    content = repr(pq.read_table(output).to_pylist())
    for raw in ("ada@example.org", "acme", SECRET):
        assert raw not in content and raw.encode() not in output.read_bytes()
    assert stat.S_IMODE(output.stat().st_mode) == 0o600


def test_one_account_has_one_pseudonym_imported_or_not(
    tmp_path: Path, mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, twice = tmp_path / "once.parquet", tmp_path / "twice.parquet"
    import_conversations([str(mixed)], once)
    import_conversations([str(once)], twice)
    key = load_key("pseudonyms")
    keys = [read(path, key=key)[0]["account_key"] for path in (mixed, once, twice)]
    assert keys[0] is not None and len(set(keys)) == 1
    # Under another key the file is somebody else's: its pseudonyms are hashed like any id.
    assert read(once, key=b"x" * 32)[0]["account_key"] not in keys


def test_several_sources_of_several_formats(tmp_path: Path, mixed: Path) -> None:
    chat = write_jsonl(tmp_path / "chat.jsonl", [{"messages": [USER], "created": 1_740_823_200}])
    table = write_csv(tmp_path / "more.csv", [good(conversation_id="z")])
    output = tmp_path / "out.parquet"
    summary = import_conversations([str(mixed), str(chat), str(table), str(mixed)], output)
    assert (summary.files, summary.rows, summary.formats) == (3, 8, ["canonical", "openai"])
    assert [r["conversation_id"] for r in read(output)][-1] == "z"


def test_folder_of_sessions(tmp_path: Path) -> None:
    base = {
        "type": "user",
        "timestamp": "2025-03-01T10:00:00Z",
        "message": {"role": "user", "content": "hello"},
    }
    for i in range(3):
        folder = tmp_path / "projects" / f"p{i}"
        folder.mkdir(parents=True)
        write_jsonl(folder / f"{i}.jsonl", [{**base, "sessionId": f"s-{i}"}])
    summary = import_conversations([str(tmp_path / "projects")], tmp_path / "out.parquet", "claude-code")
    assert (summary.files, summary.admitted) == (3, 3)


def test_surrogate_accounts_are_flagged_and_stay_flagged(tmp_path: Path) -> None:
    rows = [good(conversation_id=f"c-{i}", account_id=...) for i in range(20)]
    path = write_jsonl(tmp_path / "in.jsonl", rows)
    with pytest.raises(UserError, match=r"lacks the required column account_id"):
        import_conversations([str(path)], tmp_path / "out.parquet")
    test_file = tmp_path / "test.parquet"
    import_conversations([str(path)], test_file, accounts="per-conversation")
    seen = read(test_file)
    assert len({r["account_key"] for r in seen}) == 20 and all(r["is_test_accounts"] for r in seen)
    real = write_jsonl(tmp_path / "real.jsonl", [good()])
    both = tmp_path / "both.parquet"
    summary = import_conversations([str(real), str(test_file)], both)
    assert summary.accounts == PER_CONVERSATION and origin_of(both).is_test_accounts
    assert not any(r["is_test_accounts"] for r in read(real))


def test_started_at_fills_only_what_is_missing(tmp_path: Path) -> None:
    rows = [good(), good(conversation_id="b", started_at=...), good(conversation_id="c", started_at="soon")]
    path = write_jsonl(tmp_path / "in.jsonl", rows)
    output = tmp_path / "out.parquet"
    import_conversations([str(path)], output, started_at="2024-01-31")
    first, second, third = read(output)
    assert (first["started_at"].year, str(second["started_at"])) == (2025, "2024-01-31 00:00:00")
    assert third["quarantine_reason"] == Reason.BAD_TIMESTAMP.value


@pytest.mark.parametrize("name", ["chat", "arena"])
def test_a_source_without_times_asks_for_one(tmp_path: Path, name: str) -> None:
    rows: list[Any] = [{"messages": [USER]}] if name == "chat" else [{"uid": "u", "prompt": "hello"}]
    path = write_jsonl(tmp_path / f"{name}.jsonl", rows)
    with pytest.raises(
        UserError, match=rf"{name}\.jsonl .* has no times; give one for all with --started-at"
    ):
        import_conversations([str(path)], tmp_path / "out.parquet")
    assert import_conversations([str(path)], tmp_path / "out.parquet", started_at="2025-01-01").admitted == 1


def test_what_stops_an_import_leaves_no_file(tmp_path: Path, mixed: Path) -> None:
    cut = write_jsonl(tmp_path / "cut.jsonl.gz", [good(conversation_id=f"{i * 7919}") for i in range(9_000)])
    cut.write_bytes(cut.read_bytes()[:-900])
    folder = tmp_path / "outputs"
    folder.mkdir()
    cases: list[tuple[str, Path, dict[str, Any]]] = [
        ("compressed data is damaged", folder / "out.parquet", {"sources": [str(mixed), str(cut)]}),
        ("is not a .parquet file", folder / "out.csv", {}),
        ("cannot be written", tmp_path / "nowhere" / "out.parquet", {}),
        ("no import format", folder / "out.parquet", {"format_name": "word"}),
        ("not of a type that the format wildchat has", folder / "out.parquet", {"format_name": "wildchat"}),
        ("lacks the required columns", folder / "out.parquet", {"format_name": "oasst2"}),
        ("--started-at is not a date", folder / "out.parquet", {"started_at": "soon"}),
        ("No file", folder / "out.parquet", {"sources": [str(tmp_path / "*.nothing")]}),
    ]
    for words, output, changes in cases:
        with pytest.raises(UserError, match=words) as caught:
            import_conversations(**{"sources": [str(mixed)], "output": output, **changes})
        assert SECRET not in str(caught.value)
    assert list(folder.iterdir()) == []


def test_the_output_is_not_one_of_the_sources(tmp_path: Path, mixed: Path) -> None:
    output = tmp_path / "out.parquet"
    import_conversations([str(mixed)], output)
    before = output.read_bytes()
    with pytest.raises(UserError, match="is one of the sources"):
        import_conversations([str(output)], output)
    assert output.read_bytes() == before


def test_a_full_disk_is_one_sentence_and_keeps_the_old_file(
    tmp_path: Path, mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "full" / "out.parquet"
    output.parent.mkdir()
    output.write_text("the old one")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)"):
        import_conversations([str(mixed)], output)
    assert [path.read_text() for path in output.parent.iterdir()] == ["the old one"]


def test_same_input_same_bytes(tmp_path: Path, mixed: Path) -> None:
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    import_conversations([str(mixed)], one)
    import_conversations([str(mixed)], two)
    assert one.read_bytes() == two.read_bytes()


# ------------------------------------------------------------------ command line


def run(*arguments: object) -> Any:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["import", *map(str, arguments)])


def test_json_is_one_document(tmp_path: Path, mixed: Path) -> None:
    result = run(mixed, "--output", tmp_path / "out.parquet", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["rows"] == document["admitted"] + sum(document["quarantined"].values()) == 6
    assert document["accounts"] == "as-given" and document["output"].endswith("out.parquet")


def test_text_summary_says_what_matters(tmp_path: Path, mixed: Path) -> None:
    result = run(mixed, "--format", "jsonl", "--output", tmp_path / "out.parquet")
    assert result.exit_code == 0
    for words in ("3 conversations, 3 quarantined", "unknown_role: 1", "together they count as one"):
        assert words in result.stdout
    result = run(mixed, "--output", tmp_path / "out.parquet", "--accounts", "per-conversation")
    assert "publish refuses it" in result.stdout


def test_wrong_usage_and_user_errors_have_their_exit_codes(tmp_path: Path, mixed: Path) -> None:
    assert run(mixed).exit_code == 2
    assert run(mixed, "--output", tmp_path / "o.parquet", "--accounts", "none").exit_code == 2
    result = run(mixed, "--output", tmp_path / "o.csv")
    assert isinstance(result.exception, UserError) and result.exception.exit_code == 1


@pytest.mark.data
def test_the_real_conversations(tmp_path: Path) -> None:
    folder = data_folder() / "conversations"
    output = tmp_path / "real.parquet"
    summary = import_conversations(
        [str(folder / "*.jsonl.gz")], output, accounts="per-conversation", started_at="2025-01-31"
    )
    assert (summary.rows, summary.admitted) == (1250 + 551, 1250 + 519)
    assert summary.quarantined == {"duplicate_id": 31, "deleted_at_source": 1}
    rows = read(output)
    assert sum(r["quarantine_reason"] is None for r in rows) == summary.admitted
