"""``economic-index prove``: what the wall promises, shown on a release or on synthetic conversations."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""

    @app.command()
    def prove(
        target: Annotated[
            Path | None,
            typer.Argument(help="Release folder or DuckDB file; the candidate of the warehouse by default."),
        ] = None,
        synthetic: Annotated[
            int | None,
            typer.Option(
                min=1000, help="Build so many synthetic conversations first, over the taxonomy in use."
            ),
        ] = None,
        canaries: Annotated[
            Path | None,
            typer.Option(help="Text file of planted tokens, one a line, that must be in no file."),
        ] = None,
        worlds: Annotated[
            Path | None,
            typer.Option(
                help="Write two example worlds for each of the 20 worst cells to this Parquet file."
            ),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    ) -> None:
        """Attack a release, and naive suppression of the same data, and print what each gives away. Exit code 1 if any."""
        import pyarrow.parquet as pq

        from economic_index.commands.audit import steps
        from economic_index.disclosure.proof import build_synthetic, describe
        from economic_index.disclosure.proof import prove as attack
        from economic_index.errors import UserError
        from economic_index.paths import candidate_database, private_database

        if synthetic and target:
            raise UserError("Give a release to attack or --synthetic, not both.")
        with tempfile.TemporaryDirectory(prefix="prove-") as folder, steps("prove") as on_step:
            if synthetic:
                made = build_synthetic(synthetic, Path(folder), on_step=on_step)
                proof = attack(
                    made.candidate,
                    made.private,
                    made.folders,
                    canaries=made.canaries,
                    is_partial=True,
                    on_step=on_step,
                )
            else:
                candidate = target or candidate_database()
                proof = attack(candidate, private_database(), canaries=canaries, on_step=on_step)
        if worlds is not None and proof.report.worlds is not None:
            pq.write_table(proof.report.worlds, worlds)
        typer.echo(json.dumps(proof.as_dict(), ensure_ascii=False) if as_json else describe(proof))
        raise typer.Exit(0 if proof.holds else 1)
