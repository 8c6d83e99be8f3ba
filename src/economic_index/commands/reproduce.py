"""``economic-index reproduce``: the published numbers beside ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from economic_index.release.reproduce import Reproduction

WIDTH_OF_A_FILE = 110


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("reproduce")(reproduce_command)


def reproduce_command(
    data: Annotated[
        Path | None, typer.Option(help="Folder with the published releases; ../shared/data by default.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write the comparison as a page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Build the marts from the releases of the paper and print every published number beside ours.

    Ends with exit code 1 if a number that can be recomputed differs.
    """
    from rich.console import Console

    from economic_index.release.reproduce import as_markdown, find_data, reproduce

    folder = find_data(data)
    with Console(stderr=True).status("Building the marts from two published releases ..."):
        result = reproduce(folder)
    if markdown is not None:
        markdown.write_text(as_markdown(result), encoding="utf-8")
    if as_json:
        document = {
            "counts": result.counts(),
            "seconds": round(result.seconds, 1),
            "notes": list(result.notes),
            "numbers": [number.as_dict() for number in result.numbers],
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        _print(result)
    if result.counts()["differs"]:
        raise typer.Exit(1)


def _print(result: Reproduction) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from economic_index.release.reproduce import shown

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_OF_A_FILE)
    section = None
    table = Table(box=box.SIMPLE)
    for number in result.numbers:
        if number.outcome == "not_reproducible":
            continue
        if (number.edition, number.paper_section, number.recipe) != section:
            if table.row_count:
                console.print(table)
            section = (number.edition, number.paper_section, number.recipe)
            title = f"{number.edition}, {number.paper_section}: {number.recipe}"
            table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE)
            table.add_column("number", overflow="fold", min_width=24)
            for name in ("published", "recomputed", "ours", "difference"):
                table.add_column(name, justify="right", no_wrap=True)
            table.add_column("")
        table.add_row(
            number.label,
            "-" if number.published_value is None else f"{number.published_value:g}",
            shown(number.reference_value, number.unit),
            shown(number.value, number.unit),
            shown(number.difference, number.unit),
            "" if number.outcome == "reproduced" else "DIFFERS",
        )
    console.print(table)
    console.print("Not recomputable from any release:")
    for number in result.numbers:
        if number.outcome == "not_reproducible":
            console.print(f"  {number.paper_section}: {number.label}: {number.reason}", highlight=False)
    for note in result.notes:
        console.print(f"Note: {note}", highlight=False)
    counts = result.counts()
    console.print(
        f"{counts['reproduced']} reproduced, {counts['differs']} differ, {counts['not_reproducible']} not "
        f"recomputable ({result.seconds:.0f} s)",
        highlight=False,
    )
