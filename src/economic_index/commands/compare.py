"""``economic-index compare``: observed use beside forecasts of exposure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("compare")(compare_command)


def compare_command(
    release: Annotated[
        Path | None, typer.Option(help="Folder of a release, or its database; releases/latest by default.")
    ] = None,
    employment: Annotated[
        Path | None,
        typer.Option(
            help="OEWS national table (CSV, xlsx, zip) for use per worker; that of the taxonomy by default."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Rank correlations of the use in a release with installed forecasts, by occupation and by major
    group.
    """
    from economic_index.paths import project_root, taxonomy_seeds
    from economic_index.release.export import find_database
    from economic_index.release.exposure import INSTALLED, compare

    root = project_root()
    results = compare(
        find_database(release),
        root / INSTALLED,
        taxonomy_seeds(),
        root / "seeds" / "reference",
        employment,
    )
    if as_json:
        typer.echo(json.dumps([result.as_dict() for result in results], ensure_ascii=False))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for name in ("forecast", "measure", "level", "use"):
        table.add_column(name)
    for name in ("n", "Spearman", "95 % interval", "Kendall"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        interval = "-" if result.lower is None else f"{result.lower:.2f} to {result.upper:.2f}"
        table.add_row(
            result.source,
            result.measure,
            result.level,
            result.usage,
            str(result.n),
            "-" if result.spearman is None else f"{result.spearman:.2f}",
            interval,
            "-" if result.kendall is None else f"{result.kendall:.2f}",
        )
    console = Console()
    (console if console.is_terminal else Console(width=130)).print(table)
