"""Attempts that publication must refuse, and who objects when a mutated package lets one through.

Runs in the forked process of the engine, with the mutated package on the path.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from mutant_engine import Engine

CANARY = "canary-account-7c1d9e55"


def changed(engine: Engine, name: str, *statements: str) -> Path:
    """A copy of the release of the first build with statements run on it."""
    path = engine.folder / "drill" / f"{name}.duckdb"
    path.parent.mkdir(exist_ok=True)
    shutil.copy(engine.folder / "kept" / "release.duckdb", path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("use marts")
        for statement in statements:
            connection.execute(statement)
    return path


def with_id(engine: Engine, name: str, release_id: str, *statements: str) -> Path:
    """The same under another release id."""
    with duckdb.connect(str(engine.folder / "kept" / "release.duckdb"), read_only=True) as connection:
        tables = [
            str(row[0])
            for row in connection.execute(
                "select table_name from duckdb_columns() where column_name = 'release_id' order by 1"
            ).fetchall()
        ]
    return changed(
        engine, name, *(f"update {table} set release_id = '{release_id}'" for table in tables), *statements
    )


def window(start: str, end: str) -> tuple[str, str]:
    """Statements that make a release be about another window."""
    return (
        f"update release_manifest set value = '{start}' where item = 'window_start'",
        f"update release_manifest set value = '{end}' where item = 'window_end'",
    )


def drill(engine: Engine, what: str) -> list[str]:
    """Try ``what`` in an empty folder of releases; returns who objects: publication, the ledger's check, the auditor."""
    from economic_index.commands.audit import ledger_report
    from economic_index.disclosure.audit import audit_everything
    from economic_index.disclosure.audit.reference import ReferenceFolders
    from economic_index.errors import RefusedError
    from economic_index.release import publish as module

    module.audit = partial(module.audit, attacks=("tables",))
    folders = ReferenceFolders(engine.project / "seeds" / "reference", engine.project / "seeds" / "sample")
    private = engine.folder / "kept" / "private.duckdb"
    into = engine.folder / "drill" / "releases"
    _remove(into)
    publish = partial(module.publish, into=into, private=private, folders=folders)
    try:
        last = ATTEMPTS[what](engine, publish)
    except RefusedError:
        return ["publication: refused"]
    finally:
        for path in (into, *into.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
    objections = ["publication: ledger faults"] if not ledger_report(into)["is_clean"] else []
    if last is not None:
        report = audit_everything(last, folders, into=into, private=private)
        objections += sorted(
            {f"audit: {found.check_name}" for found in report.findings if found.severity == "leak"}
        )
    _remove(into)
    return objections


def _remove(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")) if folder.exists() else ():
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)


Publish = Callable[..., object]


def _window_again(engine: Engine, publish: Publish) -> Path:
    publish(candidate=with_id(engine, "first", "a" * 16))
    return publish(candidate=with_id(engine, "second", "b" * 16)).folder  # type: ignore[attr-defined]


def _overlapping_window(engine: Engine, publish: Publish) -> Path:
    publish(candidate=with_id(engine, "first", "a" * 16, *window("2026-01-01", "2026-02-01")))
    second = with_id(engine, "second", "b" * 16, *window("2026-01-31", "2026-03-01"))
    return publish(candidate=second).folder  # type: ignore[attr-defined]


def _other_values(engine: Engine, publish: Publish) -> Path | None:
    """The same conversations again, drawn anew: the second release would show the first one's rounding."""
    publish(candidate=with_id(engine, "first", "a" * 16))
    statement = "update skill_usage set n_accounts_at_least = 5 where status = 'published'"
    publish(candidate=with_id(engine, "second", "a" * 16, statement))
    return None


def _leak(engine: Engine, publish: Publish) -> Path:
    statement = "update skill_usage set n_conversations = n_conversations + 1 where status = 'published'"
    return publish(candidate=changed(engine, "leak", statement)).folder  # type: ignore[attr-defined]


def _private_id(engine: Engine, publish: Publish) -> Path:
    with duckdb.connect(str(engine.folder / "kept" / "private.duckdb"), read_only=True) as connection:
        row = connection.execute("select max(account_key) from facts.fct_conversations").fetchone()
    assert row is not None
    statement = f"comment on table skill_usage is 'as seen with {row[0]}'"
    return publish(candidate=changed(engine, "id", statement)).folder  # type: ignore[attr-defined]


def _dropped_rows(engine: Engine, publish: Publish) -> Path:
    """A candidate that once held private rows: they are dropped, their bytes are still in the file."""
    statements = (
        f"create table staging as select '{CANARY}' || range as account from range(3)",
        "checkpoint",
        "drop table staging",
        "checkpoint",
    )
    canaries = engine.folder / "drill" / "canaries.txt"
    candidate = changed(engine, "dropped", *statements)
    assert CANARY.encode() in candidate.read_bytes(), "the rows left no trace: this attempt says nothing"
    canaries.write_text(CANARY + "\n", encoding="utf-8")
    # For the mutant that publishes the candidate's own file.
    os.environ["DRILL_CANDIDATE"] = str(candidate)
    return publish(candidate=candidate, canaries=canaries).folder  # type: ignore[attr-defined]


def _edited_ledger(engine: Engine, publish: Publish) -> None:
    from economic_index.release.ledger import LEDGER_NAME

    folder: Path = publish(candidate=changed(engine, "plain")).folder  # type: ignore[attr-defined]
    path = folder.parent / LEDGER_NAME
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines[1]["window_end"] = "2027-01-01"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _edited_file(engine: Engine, publish: Publish) -> None:
    folder: Path = publish(candidate=changed(engine, "plain")).folder  # type: ignore[attr-defined]
    path = folder / "csv" / "skill_usage.csv"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"withheld", b"published", 1))


def _correction(engine: Engine, publish: Publish) -> Path:
    """A correction in which a skill that was withheld is shown."""
    publish(candidate=with_id(engine, "first", "a" * 16))
    statement = (
        "update skill_usage set status = 'published', n_conversations = 20, n_support_conversations = 20, "
        "n_accounts_at_least = 5, share_of_classified = 0.001, share_of_classified_lower = 0, "
        "share_of_classified_upper = 0.01 where skill = (select min(skill) from skill_usage where status = 'withheld')"
    )
    second = with_id(engine, "second", "b" * 16, statement)
    return publish(candidate=second, corrects="a" * 16).folder  # type: ignore[attr-defined]


ATTEMPTS: dict[str, Callable[[Engine, Publish], Path | None]] = {
    "window again": _window_again,
    "overlapping window": _overlapping_window,
    "other values": _other_values,
    "leak": _leak,
    "private id": _private_id,
    "dropped rows": _dropped_rows,
    "edited ledger": _edited_ledger,
    "edited file": _edited_file,
    "correction": _correction,
}
