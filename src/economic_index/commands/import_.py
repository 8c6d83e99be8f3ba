"""``economic-index import``: public formats to canonical Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from economic_index.sources.importer import OnProgress, Summary


class AccountsChoice(StrEnum):
    """Where account ids come from."""

    as_given = "as-given"
    per_conversation = "per-conversation"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("import")(import_command)


def import_command(
    sources: Annotated[list[str], typer.Argument(help="Files, folders or globs.", metavar="SOURCE...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Canonical Parquet file to write.")],
    format_name: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            help="auto, canonical, oasst2, arena-hard, wildchat, lmsys, claude-ai, claude-code or openai.",
        ),
    ] = "auto",
    accounts: Annotated[
        AccountsChoice,
        typer.Option(
            help="per-conversation makes one surrogate account each: for tests, never for a release."
        ),
    ] = AccountsChoice.as_given,
    started_at: Annotated[
        str | None, typer.Option("--started-at", help="Time (ISO 8601, UTC) of conversations without one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Turn conversations of a public format into the canonical Parquet file that a build reads."""
    from economic_index.sources.importer import import_conversations, plan

    total = sum(path.stat().st_size for path, _ in plan(sources, format_name))
    with _progress(total) as on_progress:
        summary = import_conversations(sources, output, format_name, accounts.value, started_at, on_progress)
    if as_json:
        typer.echo(json.dumps(summary.as_dict(), ensure_ascii=False))
    else:
        typer.echo(describe(summary))


def describe(summary: Summary) -> str:
    """The summary for people, a few lines."""
    quarantined = sum(summary.quarantined.values())
    rate = summary.rows / summary.seconds if summary.seconds else 0.0
    lines = [
        f"{summary.rows:,} rows from {summary.files:,} files ({', '.join(summary.formats)}) in "
        f"{summary.seconds:.1f} s, {rate:,.0f} rows/s",
        f"  {summary.admitted:,} conversations, {quarantined:,} quarantined",
    ]
    lines += [f"    {reason}: {count:,}" for reason, count in sorted(summary.quarantined.items())]
    if summary.accounts == AccountsChoice.per_conversation:
        lines.append(
            "  Every conversation has a surrogate account: this file is for tests, publish refuses it."
        )
    elif summary.without_account:
        lines.append(
            f"  {summary.without_account:,} conversations have no account; together they count as one."
        )
    lines.append(f"{summary.output} ({summary.bytes_written:,} bytes); read it with")
    lines.append(f"  ECONOMIC_INDEX_CONVERSATIONS={summary.output} dbt build")
    return "\n".join(lines)


@contextmanager
def _progress(total_bytes: int) -> Iterator[OnProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("import"),
        BarColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("import", total=max(total_bytes, 1), rows=0)

        def report(consumed: int, rows: int) -> None:
            progress.update(task, completed=consumed, rows=rows)

        yield report
