"""``economic-index publish``: audit the candidate and promote it to an immutable release folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from economic_index.release.publish import Published


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("publish")(publish_command)


def publish_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    allow_test_accounts: Annotated[
        bool,
        typer.Option(help="Publish although every conversation has a surrogate account: for trials only."),
    ] = False,
    releases: Annotated[
        Path | None, typer.Option(help="Folder of releases; ECONOMIC_INDEX_RELEASES or releases/ by default.")
    ] = None,
    corrects: Annotated[
        str | None, typer.Option(help="Release that this one corrects.", metavar="RELEASE_ID")
    ] = None,
    canaries: Annotated[
        Path | None, typer.Option(help="Text file of planted tokens, one a line, that must be in no file.")
    ] = None,
) -> None:
    """Audit the candidate release and publish it: fresh DuckDB file, Parquet, CSV, manifest. All or
    nothing.
    """
    from economic_index.commands.audit import steps
    from economic_index.release.publish import publish

    with steps("publish") as on_step:
        done = publish(
            into=releases,
            allow_test_accounts=allow_test_accounts,
            corrects=corrects,
            canaries=canaries,
            on_step=on_step,
        )
    typer.echo(json.dumps(done.as_dict(), ensure_ascii=False) if as_json else describe(done))


def describe(done: Published) -> str:
    """The outcome for people, a few lines."""
    if not done.is_new:
        said = f"Release {done.release_id} was published before with the same content; nothing to do."
        return f"{said}\n{done.folder}"
    lines = [f"Release {done.release_id} is published: {done.n_files} files, {done.n_bytes:,} bytes"]
    if done.report is not None:
        notes = len(done.report.findings)
        lines.append(f"  audit: 0 leaks, {notes} notes, {done.report.seconds:.1f} s")
    return "\n".join([*lines, str(done.folder)])
