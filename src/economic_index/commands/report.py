"""``economic-index report``: what a release says, in a few lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def latest_release(releases: Path) -> Path:
    """Folder of the newest published release, or ``releases/latest`` as it would be named."""
    pointer = releases / "latest"
    return pointer.resolve() if pointer.exists() else pointer


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""

    @app.command()
    def report(
        release: Annotated[
            Path | None, typer.Argument(help="Release folder; the newest published one by default.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    ) -> None:
        """Summarise a published release: outcomes, top occupations, augmentation, what is withheld."""
        from economic_index.paths import releases
        from economic_index.release.summary import read_summary, render

        folder = release or latest_release(releases())
        database = folder / "release.duckdb" if folder.is_dir() or not folder.suffix else folder
        summary = read_summary(database)
        print(json.dumps(summary, indent=2) if as_json else render(summary, database))
