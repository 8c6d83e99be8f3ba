"""``economic-index import-release``: a published release in the flat layout as input of the marts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from economic_index.release.import_release import Report


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("import-release")(import_release_command)


def import_release_command(
    source: Annotated[Path, typer.Argument(help="Folder with the files of the release.", metavar="DIR")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write; <warehouse>/imported/<name> by default."),
    ] = None,
    taxonomy: Annotated[
        Path | None, typer.Option(help="Folder with task statements and wages, where the release has none.")
    ] = None,
    zones: Annotated[
        Path | None, typer.Option(help="An official 'Job Zones.txt' to use for job zones.")
    ] = None,
    crosswalk: Annotated[
        Path | None,
        typer.Option(help="O*NET-SOC 2010 to 2019 crosswalk (CSV), for zones of the later vintage."),
    ] = None,
    edition: Annotated[
        str | None, typer.Option(help="Which of several task files: v1 or v2; the newest.")
    ] = None,
    soc_vintage: Annotated[str | None, typer.Option("--soc-vintage", help="2010 or 2019.")] = None,
    total: Annotated[
        int | None, typer.Option(min=1, help="Number of conversations that the task percentages are of.")
    ] = None,
    pattern_total: Annotated[
        int | None, typer.Option("--pattern-total", min=1, help="The same for the interaction types.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Read a published release, already aggregated, so that the same marts can be built from it."""
    from economic_index.errors import UserError
    from economic_index.paths import project_root, warehouse
    from economic_index.release.flat_taxonomy import TaxonomyOptions
    from economic_index.release.import_release import Options, import_release

    if soc_vintage not in (None, "2010", "2019"):
        raise UserError("The SOC vintage is 2010 or 2019; give one of the two with --soc-vintage.")
    for path in (taxonomy, zones, crosswalk):
        if path is not None and not path.exists():
            raise UserError(f"There is no {path}; check the path.")
    name = source.resolve().name + (f"-{edition}" if edition else "")
    target = (output or warehouse() / "imported" / name).resolve()
    options = Options(edition, total, pattern_total, TaxonomyOptions(taxonomy, zones, crosswalk, soc_vintage))
    report = import_release(source, target, project_root() / "seeds" / "installed" / target.name, options)
    typer.echo(json.dumps(report.as_dict(), ensure_ascii=False) if as_json else describe(report))


HOW = {
    "digits": "recovered exactly from the digits",
    "metadata": "from datapackage.json",
    "given": "as given",
}


def describe(report: Report) -> str:
    """The report for people, a few lines."""
    lines = [
        f"{report.task_file}: {report.n_tasks:,} tasks of {report.total:,} conversations "
        f"({HOW[report.total_source]})",
    ]
    if report.pattern_file:
        lines.append(
            f"{report.pattern_file}: interaction types of {report.pattern_total:,} conversations "
            f"({HOW[str(report.pattern_total_source)]})"
        )
    lines.append(f"Taxonomy: O*NET {report.taxonomy_release}, O*NET-SOC {report.soc_vintage}")
    lines += [f"  {note}" for note in report.notes]
    lines += [
        f"Written to {report.output}; build the marts from it with",
        f"  ECONOMIC_INDEX_TAXONOMY=seeds/installed/{Path(report.taxonomy_folder).name} \\",
        f"  ECONOMIC_INDEX_IMPORTED_RELEASE={report.output} dbt build --select +path:models/marts",
    ]
    return "\n".join(lines)
