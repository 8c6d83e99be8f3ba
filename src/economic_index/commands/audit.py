"""``economic-index audit``: attack a release as an outsider would."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from economic_index.disclosure.audit import AuditReport


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("audit")(audit_command)


def audit_command(
    target: Annotated[
        Path | None,
        typer.Argument(help="Release folder or DuckDB file; the candidate of the warehouse by default."),
    ] = None,
    check_ledger: Annotated[
        bool, typer.Option("--ledger", help="Verify the release ledger and every published folder instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    canaries: Annotated[
        Path | None, typer.Option(help="Text file of planted tokens, one a line, that must be in no file.")
    ] = None,
    naive: Annotated[
        bool,
        typer.Option(
            "--naive", help="Also count what naive 15/5 suppression of the same conversations would leak."
        ),
    ] = False,
    releases: Annotated[
        Path | None,
        typer.Option(help="Folder of earlier releases; ECONOMIC_INDEX_RELEASES or releases/ by default."),
    ] = None,
) -> None:
    """Attack a release with nothing but what is released and public reference data. Exit code 1 on any
    leak.
    """
    from economic_index.paths import candidate_database, private_database
    from economic_index.paths import releases as default_releases

    into = releases or default_releases()
    if check_ledger:
        report: dict[str, Any] = ledger_report(into)
        typer.echo(json.dumps(report, ensure_ascii=False) if as_json else describe_ledger(report))
        raise typer.Exit(0 if report["is_clean"] else 1)
    from economic_index.disclosure.audit import audit_everything

    with steps("audit") as on_step:
        found = audit_everything(
            target or candidate_database(),
            into=into,
            canaries=canaries,
            private=private_database(),
            on_step=on_step,
        )
    if naive:
        from economic_index.disclosure.audit.naive import naive_of_private

        found.figures["naive_suppression"] = naive_of_private(private_database())
    typer.echo(json.dumps(found.as_dict(), ensure_ascii=False) if as_json else describe(found))
    raise typer.Exit(0 if found.is_clean else 1)


def ledger_report(into: Path) -> dict[str, Any]:
    """Faults of the ledger's chain and rules, and of every release folder beside it."""
    from economic_index.release.ledger import chain_faults, read_ledger, rule_faults
    from economic_index.release.private_release import dp_ledger_faults
    from economic_index.release.publish import folder_faults

    rows = read_ledger(into)
    faults = chain_faults(rows) + rule_faults(rows)
    known = list(dict.fromkeys(row.release_id for row in rows))
    for release_id in known:
        folder = into / release_id
        faults += (
            folder_faults(folder, rows)
            if folder.is_dir()
            else [f"The folder of release {release_id} is missing."]
        )
    there = sorted(path.parent.name for path in into.glob("*/manifest.json") if not path.parent.is_symlink())
    faults += [f"The folder {name} is not in the ledger." for name in there if name not in known]
    faults += dp_ledger_faults(into)
    return {"is_clean": not faults, "n_rows": len(rows), "releases": known, "faults": faults}


def describe_ledger(report: dict[str, Any]) -> str:
    """The state of the ledger for people."""
    faults, releases = report["faults"], report["releases"]
    head = f"Release ledger: {report['n_rows']} rows, {len(releases)} releases, {len(faults)} faults"
    return "\n".join([head, *(f"  {fault}" for fault in report["faults"])])


def describe(report: AuditReport) -> str:
    """The report for people: verdict, findings, narrowest intervals."""
    verdict = "no leak found" if report.is_clean else f"{report.n_leaks} leaks"
    lines = [f"Audit of release {report.release_id or 'without an id'}: {verdict} ({report.seconds:.1f} s)"]
    lines += [
        f"  [{finding.severity}] {finding.attack} {finding.check_name} {finding.family} {finding.cell}: "
        f"{finding.sentence}"
        for finding in report.findings
    ]
    for family, figures in report.figures.get("linkage", {}).get("families", {}).items():
        lines.append(
            f"  {family}: {figures['n_withheld']:,} withheld cells, {figures['n_exact']} exact, "
            f"{figures['n_narrow']} narrower than 10, {figures['n_proven_present']} proven present, "
            f"narrowest interval {figures['narrowest']}"
        )
    for family, figures in report.figures.get("naive_suppression", {}).items():
        lines.append(
            f"  naive suppression, {family}: {figures['n_withheld']:,} withheld cells, "
            f"{figures['n_exact']:,} exact, {figures['n_narrow']:,} narrower than 10, "
            f"{figures['n_proven_present']:,} proven present"
        )
    return "\n".join(lines)


@contextmanager
def steps(title: str) -> Iterator[Callable[[str], None]]:
    """A line on standard error that names the step in progress and the time it takes."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda step: progress.update(task, description=f"{title}: {step}")
