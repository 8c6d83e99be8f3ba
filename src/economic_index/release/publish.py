"""From the candidate release to a published one: audit, fresh files, hashes, rename. All or nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from economic_index import __version__
from economic_index.disclosure.audit import AuditReport, audit
from economic_index.disclosure.audit.catalogue import MARTS
from economic_index.disclosure.audit.reference import ReferenceFolders
from economic_index.disclosure.audit.release import Release, read_release
from economic_index.disclosure.audit.scan import scan_files
from economic_index.errors import RefusedError, UserError
from economic_index.paths import candidate_database, private_database, releases
from economic_index.release import ledger
from economic_index.release.files import (
    canonical,
    csv_bytes,
    file_hash,
    flush,
    read_comments,
    text_hash,
    write_database,
    write_file,
    write_parquet,
)
from economic_index.release.records import keep_records, records_folder

MANIFEST = "manifest.json"
LATEST = "latest"
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Published:
    """Outcome of ``publish``.

    Attributes:
        release_id: of the release.
        folder: where it lies.
        is_new: False when the same content was published before.
        report: the audit; ``None`` when nothing had to be done.
        n_files: files in the folder.
        n_bytes: their size.
    """

    release_id: str
    folder: Path
    is_new: bool
    report: AuditReport | None
    n_files: int
    n_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "release_id": self.release_id,
            "folder": str(self.folder),
            "is_new": self.is_new,
            "n_files": self.n_files,
            "n_bytes": self.n_bytes,
            "audit": self.report.as_dict() if self.report else None,
        }


def publish(
    *,
    candidate: Path | None = None,
    into: Path | None = None,
    private: Path | None = None,
    folders: ReferenceFolders | None = None,
    allow_test_accounts: bool = False,
    corrects: str | None = None,
    canaries: Path | None = None,
    records: Path | None = None,
    on_step: OnStep | None = None,
) -> Published:
    """Publish the candidate release.

    Args:
        candidate: DuckDB file that dbt wrote; ``warehouse/release.duckdb`` by default.
        into: folder of releases.
        private: private database, read for values that must not be in any file; left out when it is absent.
        folders: public seeds.
        allow_test_accounts: publish although every conversation has a surrogate account.
        corrects: release that this one corrects.
        canaries: file of planted tokens, one a line, that must be in no file.
        records: folder where the private side keeps who is counted in which block; ``warehouse/published`` by default.
        on_step: called with the name of each step.

    Raises:
        RefusedError: a rule forbids the publication; nothing was written.
        UserError: there is no candidate.
    """
    say = on_step or (lambda _: None)
    candidate, into = candidate or candidate_database(), into or releases()
    private = private if private is not None else private_database()
    if not candidate.is_file():
        raise UserError(f"There is no candidate release at {candidate}; run dbt build first.")
    release = read_release(candidate)
    facts = refuse_candidate(release, allow_test_accounts)
    release_id = _release_id(release)
    tables = {name: canonical(table, MARTS[name].key) for name, table in sorted(release.tables.items())}
    with ledger.locked(into):
        _clear_staging(into)
        rows = ledger.refuse_broken(into)
        folder = into / release_id
        if folder.exists():
            return _publish_again(folder, tables, facts, rows, corrects)
        window = ledger.window_of(facts)
        ledger.refuse_window(rows, release_id, window, corrects)
        # Imported here: private_release builds on this module's ledger.
        from economic_index.release.private_release import refuse_beside_dp

        refuse_beside_dp(into, window)
        if corrects is not None:
            refuse_tampered(into / corrects, rows)
            old = read_release(into / corrects).tables
            ledger.refuse_correction(old, tables, ledger.read_verdicts(private, corrects))
        report = audit(release, folders, on_step=say)
        if not report.is_clean:
            raise RefusedError(audit_sentence(report))
        say("files")
        staging = into / f".staging-{release_id}"
        try:
            manifest = _stage(staging, release_id, tables, read_comments(candidate), facts, report)
            say("byte scan")
            leaks = scan_files(staging, canaries=canaries, private=private)
            if leaks:
                raise RefusedError(f"The files of the release hold what they must not: {leaks[0].sentence}")
            _seal(staging)
            say("private records")
            keep_records(private, release_id, records or records_folder())
            staging.rename(folder)
        except BaseException:
            _remove(staging)
            raise
        flush(into)
        _enter(into, folder, tables, facts, corrects)
        point_latest(into, release_id)
    return Published(release_id, folder, True, report, len(manifest["files"]) + 1, _size(folder))


def audit_sentence(report: AuditReport) -> str:
    """One sentence on a failed audit: how many findings, and the first."""
    first = next(finding for finding in report.findings if finding.severity == "leak")
    return (
        f"The audit found {report.n_leaks} leaks, so nothing is published; the first, by the check "
        f"{first.check_name} ({first.attack}) in {first.family}: "
        f"{first.sentence[0].lower()}{first.sentence[1:].rstrip('.')}; economic-index audit lists all of "
        "them."
    )


def refuse_candidate(release: Release, allow_test_accounts: bool) -> dict[str, str]:
    """Refuse a candidate that is no release; returns the items of its ``release_manifest``.

    Raises:
        RefusedError: other objects than marts, an unknown mart, a withheld window, surrogate accounts.
    """
    if release.strangers:
        kind, name = release.strangers[0]
        raise RefusedError(
            f"The candidate holds a {kind} ({name}); only tables of schema marts are published."
        )
    unknown = sorted(set(release.tables) - set(MARTS))
    if unknown:
        raise RefusedError(
            f"The candidate holds the table {unknown[0]}, which the auditor's catalogue does not know."
        )
    facts = release.manifest()
    if not facts:
        raise RefusedError(
            "The candidate has no release_manifest, so it says nothing about its window; run dbt build again."
        )
    if facts.get("window_status") != "published":
        raise RefusedError(
            "The window is withheld: all of its conversations together are not a safe block (at least 15 "
            "conversations of 5 accounts, none of them dominant); choose a longer window."
        )
    if facts.get("is_test_accounts") != "false" and not allow_test_accounts:
        raise RefusedError(
            "The accounts are surrogates, one for each conversation, so no rule about accounts means "
            "anything; use --allow-test-accounts for a trial that nobody else sees."
        )
    return facts


def _release_id(release: Release) -> str:
    ids = {
        value
        for table in release.tables.values()
        if "release_id" in table.column_names
        for value in table["release_id"].unique().to_pylist()
    }
    only = ids.pop() if len(ids) == 1 else None
    if not isinstance(only, str) or len(only) != 16 or not set(only) <= set("0123456789abcdef"):
        raise RefusedError(
            "The tables of the candidate do not carry one release id; run dbt build again, all of it."
        )
    return only


def _publish_again(
    folder: Path,
    tables: Mapping[str, pa.Table],
    facts: Mapping[str, str],
    rows: list[ledger.LedgerRow],
    corrects: str | None,
) -> Published:
    """The same content was published before: check it, mend what a crash left out, and say so."""
    refuse_tampered(folder, rows)
    known = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if known["content_hash"] != _content_hash({name: csv_bytes(table) for name, table in tables.items()}):
        raise RefusedError(
            f"Release {folder.name} is published with other values; a release is never rewritten, use "
            "--corrects."
        )
    if folder.name not in {row.release_id for row in rows}:
        ledger.refuse_window(rows, folder.name, ledger.window_of(facts), corrects)
        _enter(folder.parent, folder, tables, facts, corrects)
    if not (folder.parent / LATEST).exists():
        point_latest(folder.parent, folder.name)
    return Published(folder.name, folder, False, None, len(known["files"]) + 1, _size(folder))


def refuse_tampered(folder: Path, rows: list[ledger.LedgerRow]) -> None:
    """Refuse a release folder whose files are not those that were published.

    Raises:
        RefusedError: a file is changed, missing or added, or the ledger knows another manifest.
    """
    faults = folder_faults(folder, rows)
    if faults:
        raise RefusedError(
            f"{faults[0]} A published release is never edited; restore the folder from its backup."
        )


def folder_faults(folder: Path, rows: list[ledger.LedgerRow]) -> list[str]:
    """Sentences on every file of a release folder that differs from its manifest or from the ledger."""
    path = folder / MANIFEST
    try:
        listed: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return [f"The release folder {folder} has no readable manifest."]
    known = {row.manifest_hash for row in rows if row.release_id == folder.name}
    faults = []
    if known and known != {file_hash(path)}:
        faults.append(f"The manifest of release {folder.name} is not the one in the ledger.")
    there = {str(found.relative_to(folder)) for found in folder.rglob("*") if found.is_file()} - {MANIFEST}
    faults += [
        f"The file {name} of release {folder.name} is not in its manifest."
        for name in sorted(there - set(listed))
    ]
    for name, entry in sorted(listed.items()):
        if name not in there:
            faults.append(f"The file {name} of release {folder.name} is missing.")
        elif file_hash(folder / name) != entry["sha256"]:
            faults.append(f"The file {name} of release {folder.name} was changed after it was published.")
    return faults


def _stage(
    staging: Path,
    release_id: str,
    tables: dict[str, pa.Table],
    comments: dict[tuple[str, str], str],
    facts: Mapping[str, str],
    report: AuditReport,
) -> dict[str, Any]:
    """Write all files of the release into ``staging``; returns the manifest."""
    for part in (staging, staging / "csv", staging / "parquet"):
        part.mkdir(mode=0o755)
    write_database(staging / "release.duckdb", tables, comments)
    contents = {name: csv_bytes(table) for name, table in tables.items()}
    for name, table in tables.items():
        write_file(staging / "csv" / f"{name}.csv", contents[name])
        write_parquet(staging / "parquet" / f"{name}.parquet", table)
    write_file(staging / "audit.json", _json(report.as_dict()))
    if report.worlds is not None:
        write_parquet(staging / "audit_worlds.parquet", report.worlds)
    files = {
        str(path.relative_to(staging)): {"sha256": file_hash(path), "bytes": path.stat().st_size}
        for path in sorted(staging.rglob("*"))
        if path.is_file()
    }
    manifest = {
        "manifest_version": 1,
        "release_id": release_id,
        "content_hash": _content_hash(contents),
        "release": dict(sorted(facts.items())),
        "versions": {"economic_index": __version__, "duckdb": duckdb.__version__, "pyarrow": pa.__version__},
        "tables": {name: _describe(name, table, comments) for name, table in tables.items()},
        "files": files,
    }
    write_file(staging / MANIFEST, _json(manifest))
    for part in (staging / "csv", staging / "parquet", staging):
        flush(part)
    return manifest


def _describe(name: str, table: pa.Table, comments: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    return {
        "description": comments.get((name, ""), ""),
        "grain": list(MARTS[name].key),
        "n_rows": table.num_rows,
        "columns": [
            {
                "name": column.name,
                "type": str(column.type),
                "description": comments.get((name, column.name), ""),
            }
            for column in table.schema
        ],
    }


def _content_hash(contents: Mapping[str, bytes]) -> str:
    digest = sha256()
    for name in sorted(contents):
        digest.update(f"{name}:{text_hash(contents[name])}\n".encode())
    return digest.hexdigest()


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _seal(staging: Path) -> None:
    """Make everything read-only; the folder's name is all that still changes."""
    for path in sorted(staging.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    staging.chmod(0o555)
    flush(staging)


def _enter(
    into: Path, folder: Path, tables: Mapping[str, pa.Table], facts: Mapping[str, str], corrects: str | None
) -> None:
    """Write one ledger row for each table of the release."""
    window = ledger.window_of(facts)
    shared = {
        "release_id": folder.name,
        "corrects": corrects,
        "window_start": window.start,
        "window_end": window.end,
        "population": window.population,
        "input_manifest_hash": text_hash(csv_bytes(tables["release_manifest"])),
        "policy_hash": str(facts.get("privacy_policy_hash", "")),
        "audit_hash": file_hash(folder / "audit.json"),
        "manifest_hash": file_hash(folder / MANIFEST),
        "epsilon": None,
    }
    rows = []
    for name, table in tables.items():
        shape = [column for column in (*MARTS[name].key, "status") if column in table.column_names]
        rows.append(
            {
                **shared,
                "family": name,
                "value_hash": text_hash(csv_bytes(table)),
                "block_map_hash": text_hash(csv_bytes(table.select(shape))),
            }
        )
    ledger.append(into, rows)


def point_latest(into: Path, release_id: str) -> None:
    """Make ``latest`` point at a release, in one step; a text file with its name where links are not
    possible.
    """
    partial = into / f".{LATEST}-{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        partial.unlink()
    try:
        partial.symlink_to(release_id, target_is_directory=True)
    except (OSError, NotImplementedError):
        partial.write_text(release_id + "\n", encoding="utf-8")
    partial.replace(into / LATEST)
    flush(into)


def _clear_staging(into: Path) -> None:
    """Remove what a killed publication left; the lock says that none is running."""
    for path in into.glob(".staging-*"):
        _remove(path)


def _remove(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
