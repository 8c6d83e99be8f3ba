"""Publication: all or nothing, immutable, repeatable, refused with one sentence."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from released import reference_of, small_release, tampered

from economic_index.disclosure.audit import audit_path
from economic_index.errors import RefusedError, UserError
from economic_index.release import publish as module
from economic_index.release.files import canonical, csv_bytes
from economic_index.release.ledger import read_ledger
from economic_index.release.publish import Published, publish


def do(into: Path, candidate: Path | None = None, **options: object) -> Published:
    built = small_release()
    return publish(
        candidate=candidate or built.candidate,
        into=into,
        private=built.private,
        folders=reference_of(built),
        **options,
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".publish.lock"}


def edit(path: Path, data: bytes) -> None:
    path.parent.chmod(0o755)
    path.chmod(0o644)
    path.write_bytes(data)


@pytest.fixture(autouse=True)
def quick_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Joint bounds are tested with the auditor; here the gate is what matters."""
    monkeypatch.setattr(module, "audit", partial(module.audit, attacks=("tables",)))


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "releases"


def test_publication_holds_the_same_rows_three_times(into: Path) -> None:
    done = do(into)
    assert done.is_new and done.folder == into / done.release_id
    assert names(into) == {done.release_id, "latest", "release_ledger.jsonl"}
    assert (into / "latest").resolve() == done.folder.resolve()
    manifest = json.loads((done.folder / "manifest.json").read_text())
    connection = duckdb.connect(str(done.folder / "release.duckdb"), read_only=True)
    for name, entry in manifest["tables"].items():
        stored = connection.execute(f"select * from marts.{name}").to_arrow_table()
        assert stored.num_rows == entry["n_rows"]
        text = (done.folder / "csv" / f"{name}.csv").read_bytes()
        assert csv_bytes(stored) == text
        assert csv_bytes(pq.read_table(done.folder / "parquet" / f"{name}.parquet")) == text
        assert stored.num_rows == len(list(csv.reader(text.decode().splitlines()))) - 1
        assert canonical(stored, tuple(entry["grain"])).equals(stored.combine_chunks())
    assert connection.execute("select count(*) from duckdb_views() where not internal").fetchone() == (0,)
    assert (
        connection.execute("select comment from duckdb_tables() where table_name = 'task_usage'").fetchone()
        is not None
    )
    connection.close()
    assert audit_path(done.folder, reference_of(small_release())).is_clean


def test_files_are_read_only_and_listed_with_their_hashes(into: Path) -> None:
    folder = do(into).folder
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert all(path.stat().st_mode & 0o222 == 0 for path in [*files, folder, folder / "csv"])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == {str(path.relative_to(folder)) for path in files} - {"manifest.json"}
    assert "published_at" not in (folder / "manifest.json").read_text()


def test_the_same_content_again_does_nothing(into: Path) -> None:
    first = do(into)
    before = {path: path.stat().st_mtime_ns for path in into.rglob("*")}
    again = do(into)
    assert not again.is_new and again.folder == first.folder and again.report is None
    assert {path: path.stat().st_mtime_ns for path in into.rglob("*")} == before


def test_two_publications_of_one_candidate_have_the_same_tables(tmp_path: Path) -> None:
    one, two = do(tmp_path / "one").folder, do(tmp_path / "two").folder
    for path in sorted(one.rglob("*.csv")) + sorted(one.rglob("*.parquet")) + [one / "audit.json"]:
        assert path.read_bytes() == (two / path.relative_to(one)).read_bytes()


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (
            "update release_manifest set value = 'withheld' where item = 'window_status'",
            "The window is withheld",
        ),
        (
            "update release_manifest set value = 'true' where item = 'is_test_accounts'",
            "accounts are surrogates",
        ),
        ("drop table release_manifest", "has no release_manifest"),
        ("create view peek as select 1 as n", "holds a view"),
        (
            "create schema facts; create table facts.fct_conversations as select 1 as n",
            "table outside schema marts",
        ),
        ("create table raw as select 1 as n", "does not know"),
        ("update skill_usage set release_id = 'x'", "do not carry one release id"),
        ("update task_usage set n_conversations = 3 where status = 'withheld'", "The audit found"),
        (
            "update release_manifest set value = 'yesterday' where item = 'window_start'",
            "does not name a window",
        ),
    ],
)
def test_candidates_that_break_a_rule_are_refused(
    statement: str, sentence: str, into: Path, tmp_path: Path
) -> None:
    path = tampered(small_release(), tmp_path / "candidate.duckdb", *statement.split("; "))
    with pytest.raises(UserError, match=sentence) as error:
        do(into, path)
    assert str(error.value).count(". ") <= 1
    assert not into.exists() or names(into) == set()


def test_surrogate_accounts_are_published_only_when_told(into: Path, tmp_path: Path) -> None:
    path = tampered(
        small_release(),
        tmp_path / "candidate.duckdb",
        "update release_manifest set value = 'true' where item = 'is_test_accounts'",
    )
    assert do(into, path, allow_test_accounts=True).is_new


def test_other_values_under_the_same_id_are_refused(into: Path, tmp_path: Path) -> None:
    do(into)
    path = tampered(
        small_release(),
        tmp_path / "candidate.duckdb",
        "update release_manifest set value = 'dwa' where item = 'strategy'",
    )
    with pytest.raises(RefusedError, match="published with other values"):
        do(into, path)


@pytest.mark.parametrize("what", ["changed", "missing", "added", "manifest"])
def test_a_folder_edited_by_hand_is_refused(what: str, into: Path) -> None:
    folder = do(into).folder
    if what == "changed":
        edit(folder / "csv" / "task_usage.csv", b"x")
    elif what == "missing":
        (folder / "csv").chmod(0o755)
        (folder / "csv" / "task_usage.csv").unlink()
    elif what == "added":
        edit_folder = folder / "csv"
        edit_folder.chmod(0o755)
        (edit_folder / "note.txt").write_text("hello")
    else:
        text = (folder / "manifest.json").read_text().replace('"local"', '"other"')
        edit(folder / "manifest.json", text.encode())
    with pytest.raises(RefusedError, match="never edited"):
        do(into)


def test_a_window_is_published_once(into: Path, tmp_path: Path) -> None:
    first = do(into)
    path = other_release(tmp_path / "candidate.duckdb")
    with pytest.raises(RefusedError, match=f"was published as release {first.release_id}"):
        do(into, path)
    assert (into / "latest").resolve() == first.folder.resolve()


def other_release(path: Path, *statements: str) -> Path:
    """The same release under another id, with more statements."""
    tables = [
        row[0]
        for row in duckdb.connect(str(small_release().candidate), read_only=True)
        .execute("select table_name from duckdb_tables()")
        .fetchall()
    ]
    change = [f"update {name} set release_id = 'aaaaaaaaaaaaaaaa'" for name in tables]
    return tampered(small_release(), path, *change, *statements)


def test_another_window_is_published_beside_and_becomes_the_latest(into: Path, tmp_path: Path) -> None:
    windows = [
        "update release_manifest set value = '{0}' where item = 'window_start'",
        "update release_manifest set value = '{1}' where item = 'window_end'",
        "update analysis_metadata set window_start = '{0}', window_end = '{1}'",
    ]
    first = tampered(
        small_release(), tmp_path / "1.duckdb", *(w.format("2026-01-01", "2026-02-01") for w in windows)
    )
    second = other_release(tmp_path / "2.duckdb", *(w.format("2026-02-01", "2026-03-01") for w in windows))
    do(into, first)
    done = do(into, second)
    assert (into / "latest").resolve() == done.folder.resolve()
    assert len({row.release_id for row in read_ledger(into)}) == 2


def test_correction_is_refused_without_a_verdict_and_published_with_one(into: Path, tmp_path: Path) -> None:
    first = do(into)
    same = other_release(tmp_path / "candidate.duckdb")
    done = do(into, same, corrects=first.release_id)
    assert done.is_new
    assert {row.corrects for row in read_ledger(into)} == {None, first.release_id}


def test_canaries_and_private_ids_in_a_file_stop_the_publication(
    into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries = tmp_path / "canaries.txt"
    canaries.write_text("# planted\nzebra-4711-canary\n", encoding="utf-8")
    assert do(into / "clean", canaries=canaries).is_new
    comments = {("task_usage", ""): "Grain: zebra-4711-canary"}
    monkeypatch.setattr(module, "read_comments", lambda _: comments)
    with pytest.raises(RefusedError, match="planted canaries"):
        do(into, canaries=canaries)
    monkeypatch.setattr(
        module, "read_comments", lambda _: {("task_usage", ""): "Grain: conv-3-0000017 of acct"}
    )
    with pytest.raises(RefusedError, match="private column conversation_id"):
        do(into)
    assert names(into) == {"clean"}


@pytest.mark.parametrize("step", ["write_database", "write_parquet", "write_file", "_seal", "scan_files"])
def test_a_full_disk_leaves_nothing_behind(step: str, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, step, full)
    with pytest.raises(OSError, match="No space left"):
        do(into)
    assert names(into) == set()
    monkeypatch.undo()
    assert do(into).is_new


def test_a_crash_after_the_rename_is_mended_by_publishing_again(
    into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_enter", die)
    with pytest.raises(KeyboardInterrupt):
        do(into)
    monkeypatch.undo()
    assert read_ledger(into) == []
    again = do(into)
    assert not again.is_new
    assert {row.release_id for row in read_ledger(into)} == {again.release_id}
    assert (into / "latest").resolve() == again.folder.resolve()


KILLED = """
import sys
from pathlib import Path
from economic_index.disclosure.audit.reference import ReferenceFolders
from economic_index.release.publish import publish
candidate, into, seeds, taxonomy = map(Path, sys.argv[1:])
publish(candidate=candidate, into=into, private=Path("/nowhere"), folders=ReferenceFolders(seeds, taxonomy))
"""


@pytest.mark.slow
def test_killed_at_any_time_nothing_is_half_published(into: Path) -> None:
    built = small_release()
    command = [
        sys.executable,
        "-c",
        KILLED,
        str(built.candidate),
        str(into),
        str(built.seeds),
        str(built.taxonomy),
    ]
    for delay in (0.8, 1.2, 1.6, 2.0, 2.4, 2.8, 3.2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        shown = [path for path in into.glob("[!.]*") if path.is_dir() and not path.is_symlink()]
        for folder in shown:
            assert module.folder_faults(folder, []) == []
    assert do(into).release_id
    assert not list(into.glob(".staging-*"))
    assert module.folder_faults((into / "latest").resolve(), read_ledger(into)) == []


def test_without_links_latest_is_a_file(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", no_links)
    done = do(into)
    assert (into / "latest").read_text().strip() == done.release_id


def test_csv_is_rfc_4180() -> None:
    import pyarrow as pa

    table = pa.table(
        {
            "a": [1.0, 0.1, 1e-7, None, 100.0],
            "b": ["x,y", 'say "hi"', "", None, " padded"],
            "c": [True, False, None, True, False],
            "d": pa.array([1, 2, 3, 4, None], pa.int64()),
        }
    )
    assert csv_bytes(table) == (
        b'a,b,c,d\r\n1.0,"x,y",true,1\r\n0.1,"say ""hi""",false,2\r\n1e-07,"",,3\r\n,,true,4\r\n100.0," '
        b'padded",false,\r\n'
    )


def test_no_candidate_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run dbt build first"):
        publish(
            candidate=tmp_path / "no.duckdb",
            into=tmp_path,
            private=tmp_path / "p",
            folders=reference_of(small_release()),
        )


def test_two_publications_at_once_are_one(into: Path) -> None:
    built = small_release()
    command = [
        sys.executable,
        "-c",
        KILLED,
        str(built.candidate),
        str(into),
        str(built.seeds),
        str(built.taxonomy),
    ]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, env=dict(os.environ)) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert len(read_ledger(into)) == len({row.family for row in read_ledger(into)})
