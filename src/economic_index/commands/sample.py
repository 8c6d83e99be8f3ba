"""``economic-index sample``: write made-up conversations over the sample tasks, with their true labels beside them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""

    @app.command()
    def sample(
        conversations: Annotated[int, typer.Option(min=1, help="Number of rows.")] = 10_000,
        seed: Annotated[int, typer.Option(help="Same number and seed, same bytes.")] = 7,
        output: Annotated[Path, typer.Option(help="Canonical Parquet file to write.")] = Path(
            "sample/conversations.parquet"
        ),
        truth: Annotated[Path, typer.Option(help="Parquet file for the true labels.")] = Path(
            "sample/truth.parquet"
        ),
        broken: Annotated[
            Path | None, typer.Option(help="Also write a JSONL file of broken rows here.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    ) -> None:
        """Write a sample: skewed tasks, uneven accounts, chatter, hostile and broken rows."""
        from economic_index.paths import project_root
        from economic_index.sample import write_broken_jsonl, write_sample

        write_sample(conversations, seed, output, truth, project_root() / "seeds" / "sample")
        if broken is not None:
            write_broken_jsonl(broken, seed)
        done = {"conversations": conversations, "seed": seed, "output": str(output), "truth": str(truth)}
        if as_json:
            print(json.dumps(done))
        else:
            print(
                f"Wrote {conversations:,} conversations to {output}, their true labels to {truth}.",
                file=sys.stderr,
            )
