"""``economic-index export``: a release in the file layouts of the published ones."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Layout(StrEnum):
    """Names of the layouts."""

    flat = "aei-2025-02"
    long = "aei-long"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("export")(export_command)


def export_command(
    layout: Annotated[
        Layout, typer.Option(help="Flat files of the first release, or the later long layout.")
    ],
    release: Annotated[
        Path | None, typer.Option(help="Folder of a release, or its database; releases/latest by default.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write; export/<layout> by default.")
    ] = None,
    platform: Annotated[
        str, typer.Option(help="What platform_and_product says in the long layout.")
    ] = "AI assistant",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write a release so that programs made for the published ones can read it."""
    from rich.console import Console

    from economic_index.paths import project_root, taxonomy_seeds
    from economic_index.release.export import export_release, find_database, summary

    target = (output or Path("export") / layout.value).resolve()
    reference = project_root() / "seeds" / "reference"
    with Console(stderr=True).status("Exporting ...") as status:
        written = export_release(
            layout.value,
            find_database(release),
            target,
            taxonomy_seeds(),
            reference,
            platform,
            on_file=lambda name: status.update(f"Writing {name} ..."),
        )
    if as_json:
        typer.echo(json.dumps(summary(written, target), ensure_ascii=False))
        return
    for file in written:
        typer.echo(f"{file.rows:>10,}  {file.name}: {file.description}")
    typer.echo(f"Written to {target}, with datapackage.json, CITATION.cff and LICENSES.md")
