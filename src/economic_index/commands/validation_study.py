"""``economic-index validation sample`` and ``score``: people read a sample (Appendix C)."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Form(StrEnum):
    """What a reader fills in."""

    page = "page"
    sheet = "sheet"


def register(app: typer.Typer) -> None:
    """Add the command group to ``app``."""
    group = typer.Typer(help="Have people read a sample of labelled conversations.", no_args_is_help=True)
    group.callback()(_group)
    group.command("sample")(sample_command)
    group.command("score")(score_command)
    app.add_typer(group, name="validation")


def _group() -> None:
    """Have people read a sample of labelled conversations."""


def sample_command(
    n: Annotated[int, typer.Option("-n", min=1, help="Conversations to read.")] = 150,
    form: Annotated[Form, typer.Option(help="A local page, or a sheet for a spreadsheet.")] = Form.page,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write; in <warehouse>/validation by default."),
    ] = None,
) -> None:
    """Draw a stratified sample for reading. The file shows conversations: it is private, like the
    warehouse.
    """
    from economic_index.keys import load_key
    from economic_index.paths import private_database, warehouse
    from economic_index.validation.study import as_page, as_sheet, sample, write_private

    readings = sample(private_database(), n, load_key("sampling"))
    name = "reading_sheet.html" if form is Form.page else "reading_sheet.csv"
    target = output or warehouse() / "validation" / name
    write_private(target, as_page(readings) if form is Form.page else as_sheet(readings))
    typer.echo(f"{len(readings)} conversations to read: {target}")
    typer.echo("Give each reader a copy; then `economic-index validation score ANSWERS...`.")


def score_command(
    answers: Annotated[list[Path], typer.Argument(help="Answers of each reader, the main reader first.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Score what readers said and keep it for the mart validation_accuracy of the next build."""
    from economic_index.errors import UserError
    from economic_index.paths import warehouse
    from economic_index.validation import study

    for path in answers:
        if not path.is_file():
            raise UserError(f"There is no file {path}; give the answers that a reader saved.")
    readers = [study.read_answers(path) for path in answers]
    results = study.score(readers)
    if not results:
        raise UserError("No verdict was given in these files; fill in at least one item and save again.")
    study.store(readers, warehouse() / study.RESULTS)
    if as_json:
        typer.echo(study.as_json(results))
        return
    for row in results:
        agreement = (
            "" if row["agreement_percent"] is None else f", readers agree on {row['agreement_percent']} %"
        )
        typer.echo(
            f"{study.ITEMS[row['item']]:<24}{row['acceptable_percent']:>4} % acceptable "
            f"({row['acceptable_percent_lower']} to {row['acceptable_percent_upper']}) of "
            f"{row['n_readings']}{agreement}"
        )
    typer.echo(f"Items with {study.FEWEST_READINGS} readings or more are released by the next dbt build.")
