"""``economic-index reference install``: reference data that a user brings along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command group to ``app``."""
    group = typer.Typer(help="Reference data that you bring along.", no_args_is_help=True)
    group.callback()(_group)
    group.command("install")(install)
    app.add_typer(group, name="reference")


def _group() -> None:
    """Reference data that you bring along."""


def install(
    exposure: Annotated[
        Path, typer.Option(help="Folder with the authors' files of exposure forecasts, as downloaded.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Install forecasts of exposure by occupation, for `economic-index compare`."""
    from economic_index.paths import project_root
    from economic_index.release.exposure import INSTALLED, install_exposure

    target = project_root() / INSTALLED
    counts = install_exposure(exposure, target)
    if as_json:
        typer.echo(json.dumps({"file": str(target), "values": counts}, ensure_ascii=False))
        return
    for name, count in counts.items():
        typer.echo(f"{count:>7,}  {name}")
    typer.echo(f"Written to {target}; see `economic-index compare`.")
