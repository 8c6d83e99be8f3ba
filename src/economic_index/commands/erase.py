"""``economic-index erase-accounts``: take accounts out of what publications keep privately."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("erase-accounts")(erase_command)


def erase_command(
    accounts: Annotated[
        typer.FileText, typer.Argument(help="File of account pseudonyms, one a line; - reads standard input.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Erase accounts from warehouse/published/, the records kept for corrections.

    Published releases stay as they are. Take the accounts out of the input as well: the next build no longer
    has them.
    """
    from economic_index.release.records import erase_account

    keys = [line.strip() for line in accounts if line.strip()]
    erased = sum(erase_account(key) for key in keys)
    if as_json:
        typer.echo(json.dumps({"n_accounts": len(keys), "n_records_erased": erased}))
        return
    typer.echo(f"Accounts given: {len(keys):,}. Records erased: {erased:,}.")
