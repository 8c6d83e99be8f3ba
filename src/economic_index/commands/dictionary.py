"""``economic-index dictionary``: the data dictionary, from the YAML beside the models."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""

    @app.command()
    def dictionary(
        output: Annotated[
            Path | None, typer.Option("--output", help="File to write (default: docs/data_dictionary.md).")
        ] = None,
        check: Annotated[
            bool, typer.Option("--check", help="Write nothing; fail when the file is not current.")
        ] = False,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print all tables as one JSON document; write nothing.")
        ] = False,
    ) -> None:
        """Write what every table and column means."""
        from economic_index.errors import UserError
        from economic_index.paths import project_root
        from economic_index.release.dictionary import read_tables, render_dictionary

        root = project_root()
        tables = read_tables(root)
        if as_json:
            print(json.dumps([asdict(table) for table in tables], indent=2, ensure_ascii=False))
            return
        path = output or root / "docs" / "data_dictionary.md"
        text = render_dictionary(tables)
        current = path.read_text(encoding="utf-8") if path.is_file() else None
        if check:
            if current != text:
                raise UserError(f"{path.name} is not current; run `economic-index dictionary` and commit it.")
            return
        if current != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        typer.echo(f"{path}: {len(tables)} tables")
