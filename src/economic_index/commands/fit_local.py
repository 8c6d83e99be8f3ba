"""``economic-index fit-local``: fit the local engine again, also with a user's own labels."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from economic_index.errors import UserError

DEFAULT_NAME = "local_model.npz"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("fit-local")(fit_local_command)


def fit_local_command(
    conversations: Annotated[
        Path | None, typer.Option(help="Your own conversations, JSON Lines, plain or gzipped.")
    ] = None,
    labels: Annotated[
        list[Path] | None, typer.Option(help="Labels of them; give it once per annotator.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help=f"File to write; <warehouse>/{DEFAULT_NAME} by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Fit the local engine on the project's training conversations, and on yours when you name them.

    The same input gives the same file. Builds use it once ECONOMIC_INDEX_LOCAL_MODEL names it.
    """
    from economic_index.engines.local.artefact import VARIABLE, save
    from economic_index.engines.local.fit import fit
    from economic_index.engines.local.training_data import shipped_examples, user_examples
    from economic_index.paths import warehouse

    if (conversations is None) != (not labels):
        raise UserError("The options --conversations and --labels belong together; give both or neither.")
    examples = shipped_examples()
    own = user_examples(conversations, labels) if conversations is not None and labels else []

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    artefact = fit([*examples, *own], on_progress=say)
    path = output or warehouse() / DEFAULT_NAME
    digest = save(artefact, path)
    measured = artefact.header["cross_validation"]
    if as_json:
        document = {"output": str(path), "sha256": digest, "shipped": len(examples), "own": len(own)}
        typer.echo(json.dumps({**document, "cross_validation": measured}))
        return
    typer.echo(f"{len(examples):,} training conversations of the project, {len(own):,} labels of your own")
    for name, scores in measured.items():
        shown = ", ".join(f"{score.replace('_', ' ')} {value}" for score, value in scores.items())
        typer.echo(f"  {name}: {shown}")
    typer.echo(f"{path} ({path.stat().st_size:,} bytes, sha256 {digest[:16]}); use it with")
    typer.echo(f"  export {VARIABLE}={path}")
