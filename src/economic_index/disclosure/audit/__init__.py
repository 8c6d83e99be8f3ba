"""The auditor: attacks a release as an outsider would, with what is released and public reference data only.

It imports no code of the wall, does not need the private database, and is the gate of ``economic-index
publish``.
See docs/privacy.md for the attacks and for what each check can and cannot see.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from economic_index.disclosure.audit.equations import check_equations, load_release
from economic_index.disclosure.audit.findings import (
    FINDINGS_SCHEMA,
    LEAK,
    Collector,
    Finding,
    findings_table,
)
from economic_index.disclosure.audit.reference import ReferenceFolders, load_reference
from economic_index.disclosure.audit.release import Release, read_connection, read_release
from economic_index.disclosure.audit.structure import check_floors, check_structure, check_vocabulary
from economic_index.errors import UserError

__all__ = [
    "FINDINGS_SCHEMA",
    "AuditReport",
    "Finding",
    "audit",
    "audit_connection",
    "audit_everything",
    "audit_path",
    "findings_table",
]

OnStep = Callable[[str], None]
# What ``audit_depth`` stands for.
DEPTHS = {"full": ("tables", "linkage", "cube"), "bounds": ("tables", "linkage"), "tables": ("tables",)}


@dataclass
class AuditReport:
    """What an audit found.

    Attributes:
        release_id: of the release that was attacked; ``None`` where it has none.
        findings: sorted; only those of severity ``leak`` stop a publication.
        n_leaks: number of leaks, also of those that are not listed one by one.
        worlds: two complete worlds for each of the worst cells (``linkage.WORLDS_SCHEMA``), where bounds
        were worked out.
        figures: numbers the auditor reports (cells compared, narrowest intervals per family, ...).
        seconds: run time; never part of ``as_dict``, which is the same for the same release.
    """

    release_id: str | None
    findings: list[Finding]
    n_leaks: int
    figures: dict[str, Any] = field(default_factory=dict)
    worlds: pa.Table | None = None
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        """No leak."""
        return self.n_leaks == 0

    def table(self) -> pa.Table:
        """Findings with ``FINDINGS_SCHEMA``."""
        return findings_table(self.findings)

    def as_dict(self) -> dict[str, Any]:
        """JSON form without clock times."""
        return {
            "release_id": self.release_id,
            "is_clean": self.is_clean,
            "n_leaks": self.n_leaks,
            "findings": [asdict(finding) for finding in self.findings],
            "figures": self.figures,
        }


def audit(
    release: Release,
    folders: ReferenceFolders | None = None,
    *,
    attacks: Sequence[str] = DEPTHS["full"],
    on_step: OnStep | None = None,
) -> AuditReport:
    """Attack a release.

    Args:
        release: its tables.
        folders: public seeds; those of the project by default.
        attacks: ``tables`` (structure, floors, vocabularies, equations), ``linkage`` (joint bounds) and ``cube`` (joint
            bounds of the tables by country, once more over country, SOC group and pattern).
        on_step: called with the name of each step.

    Raises:
        UserError: reference files are missing.
    """
    started = time.monotonic()
    say = on_step or (lambda _: None)
    found = Collector()
    worlds: pa.Table | None = None
    figures: dict[str, Any] = {}
    connection = duckdb.connect(config={"threads": 2})
    try:
        connection.execute("set enable_progress_bar = false")
        load_reference(connection, folders or ReferenceFolders.of_project())
        if "tables" in attacks:
            say("structure")
            check_structure(release, found)
            say("floors")
            check_floors(release, found)
            say("vocabularies")
            figures["n_texts_looked_up"] = check_vocabulary(release, connection, found)
            say("equations")
            load_release(connection, release)
            figures["n_cells_compared"] = check_equations(connection, found)
        if "linkage" in attacks and found.count(LEAK) == 0:
            from economic_index.disclosure.audit.linkage import check_linkage, worlds_table

            load_release(connection, release)
            figures["linkage"] = check_linkage(connection, found, on_step=say, is_cubed="cube" in attacks)
            worlds = worlds_table(figures["linkage"].pop("worlds", []))
    finally:
        connection.close()
    ids = sorted(
        {
            str(v)
            for t in release.tables.values()
            if "release_id" in t.column_names
            for v in t["release_id"].unique().to_pylist()
        }
    )
    return AuditReport(
        ids[0] if len(ids) == 1 else None,
        found.findings(),
        found.count(LEAK),
        figures,
        worlds,
        time.monotonic() - started,
    )


def audit_path(path: Path, folders: ReferenceFolders | None = None, **options: Any) -> AuditReport:
    """``audit`` of a release folder or DuckDB file."""
    return audit(read_release(path), folders, **options)


def audit_everything(
    path: Path,
    folders: ReferenceFolders | None = None,
    *,
    into: Path | None = None,
    canaries: Path | None = None,
    private: Path | None = None,
    on_step: OnStep | None = None,
) -> AuditReport:
    """All attacks on a release folder or DuckDB file: its tables, its bytes, and what earlier releases add.

    Args:
        into: folder of earlier releases; left out where it does not exist.
        canaries: file of planted tokens.
        private: private database; its ids must be in no file. Left out where it does not exist.
    """
    from economic_index.disclosure.audit.history import check_history
    from economic_index.disclosure.audit.scan import scan_files
    from economic_index.release.ledger import read_ledger

    release = read_release(path)
    report = audit(release, folders, on_step=on_step)
    more = Collector()
    if on_step:
        on_step("byte scan")
    for leak in scan_files(path, canaries=canaries, private=private):
        more.add(leak.check_name, leak.attack, leak.family, leak.cell, leak.sentence)
    if into is not None and into.is_dir():
        report.figures["n_cells_compared_with_history"] = check_history(
            release, report.release_id, into, read_ledger(into), more
        )
    report.findings = sorted(report.findings + more.findings())
    report.n_leaks += more.count(LEAK)
    return report


def audit_connection(
    connection: duckdb.DuckDBPyConnection,
    database: str = "release",
    folders: ReferenceFolders | None = None,
    *,
    depth: str = "bounds",
) -> pa.Table:
    """Findings about the candidate release attached to ``connection``: what the dbt model ``audit_findings`` returns.

    Args:
        connection: with the release attached as ``database``.
        folders: public seeds; those of the project by default.
        depth: ``tables``, ``bounds`` or ``full``; ``economic-index audit`` and ``publish`` always do all.

    Returns:
        ``FINDINGS_SCHEMA`` behind a column ``finding`` that numbers the rows.

    Raises:
        UserError: the depth is none of the three, or reference files are missing.
    """
    if depth not in DEPTHS:
        raise UserError(f"The variable audit_depth is none of {', '.join(DEPTHS)}; choose one of them.")
    found = audit(read_connection(connection, database), folders, attacks=DEPTHS[depth]).table()
    return found.add_column(
        0, pa.field("finding", pa.int64()), [pa.array(range(1, found.num_rows + 1), pa.int64())]
    )
