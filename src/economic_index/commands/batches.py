"""``economic-index batches``: what was submitted in batch mode, and cancelling it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from economic_index.errors import UserError


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("batches")(batches_command)


def batches_command(
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel those that the server still works on.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the Message Batches that this warehouse has submitted.

    Cancelled questions are asked again by the next run; what had ended before stays fetchable and is not paid
    twice.
    """
    from economic_index.commands.estimate import project_variables
    from economic_index.engines.anthropic.batch import BatchStore
    from economic_index.engines.anthropic.engine import AnthropicEngine
    from economic_index.engines.anthropic.settings import make_settings
    from economic_index.paths import warehouse

    path = warehouse() / "batches.sqlite"
    if not path.is_file():
        raise UserError(
            "No batch was ever submitted from this warehouse; batches come with vars.mode: batch."
        )
    cancelled = None
    if cancel:
        models = project_variables().get("models") or {}
        with AnthropicEngine(make_settings(models, "batch", state=path)) as engine:
            cancelled = engine.cancel_batches()
    store = BatchStore(path)
    known, open_intents = store.known(), store.intents()
    store.close()
    if as_json:
        typer.echo(
            json.dumps({"batches": sorted(known), "unconfirmed": len(open_intents), "cancelled": cancelled})
        )
        return
    for batch_id in sorted(known):
        typer.echo(batch_id)
    typer.echo(f"{len(known)} submitted, {len(open_intents)} of unknown fate (the next run looks for them).")
    if cancelled is not None:
        typer.echo(f"{cancelled} cancelled.")
