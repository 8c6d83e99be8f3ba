"""``economic-index figures``: the paper's figures from a release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("figures")(figures_command)


def figures_command(
    release: Annotated[
        Path | None, typer.Option(help="Folder of a release, or its database; releases/latest by default.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")] = Path("figures"),
    figure: Annotated[
        list[int] | None, typer.Option(help="Number of a figure of the paper; all by default.")
    ] = None,
    picture: Annotated[str, typer.Option("--format", help="svg, png or pdf.")] = "svg",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Draw figures 2 to 8 and 10 to 13 of the paper from the marts of a release."""
    from economic_index.release.export import find_database
    from economic_index.release.figures import draw_figures

    written, empty = draw_figures(find_database(release), output, figure or (), picture)
    if as_json:
        typer.echo(json.dumps({"files": [str(path) for path in written], "nothing_published": empty}))
        return
    for path in written:
        typer.echo(str(path))
    for number in empty:
        typer.echo(f"Figure {number}: the release publishes nothing of it.")
