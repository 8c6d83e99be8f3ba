"""``economic-index taxonomy``: install, list and score the reference data."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from economic_index.taxonomy.score import Score


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(help="Occupations, tasks and wages: install an official release, see what is there.")
    group.command("install")(install_command)
    group.command("list")(list_command)
    group.command("score")(score_command)
    app.add_typer(group, name="taxonomy")


def install_command(
    release: Annotated[str, typer.Option(help="O*NET release, for example 29.1.")],
    from_dir: Annotated[
        Path | None,
        typer.Option(help="Folder or zip with the official text files; nothing is downloaded then."),
    ] = None,
    oews: Annotated[
        Path | None, typer.Option(help="BLS OEWS national table: csv, xlsx, or the zip of BLS.")
    ] = None,
    crosswalk: Annotated[
        Path | None, typer.Option(help="O*NET-SOC 2010 to 2019 crosswalk (csv); for releases before 25.1.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Take the downloads from here instead of the official addresses.")
    ] = None,
    wage_year: Annotated[int, typer.Option(help="Year of the OEWS table to download.")] = 2023,
    sha256: Annotated[
        list[str] | None, typer.Option(help="NAME=HEX: the checksum a download must have. May be repeated.")
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option(help="Go without job zones, wages or crosswalk where they were not found.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Install an official O*NET release with BLS wages into seeds/installed/RELEASE."""
    from rich.console import Console

    from economic_index.taxonomy.install import Sources, install_release

    progress = Console(stderr=True)
    sources = Sources(
        from_dir=from_dir,
        oews=oews,
        crosswalk=crosswalk,
        base_url=base_url,
        wage_year=wage_year,
        sha256=given_sums(sha256 or []),
        allow_missing=allow_missing,
    )
    done = install_release(
        release, sources, on_progress=lambda line: progress.print(line, markup=False, style="dim")
    )
    if as_json:
        typer.echo(json.dumps(done.as_dict(), ensure_ascii=False))
        return
    typer.echo(
        f"O*NET {done.release} is installed (SOC codes of {done.soc_vintage}, wages {done.wage_release})."
    )
    for name, count in done.rows.items():
        typer.echo(f"  {name:<22}{count:>9,} rows")
    for note in done.notes:
        typer.echo(f"Note: {note}")
    typer.echo(f"Switch it on with:\n  export {done.setting()}")


def list_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the sample and the installed releases, and which one is in use."""
    from economic_index.taxonomy.install import list_releases

    releases = list_releases()
    if as_json:
        typer.echo(json.dumps(releases, ensure_ascii=False))
        return
    for entry in releases:
        mark = "*" if entry["in_use"] else " "
        changed = f"  changed: {', '.join(entry['changed_files'])}" if entry["changed_files"] else ""
        typer.echo(
            f"{mark} {entry['release']:<10} {entry['occupations']:>6,} occupations "
            f"{entry['task_statements']:>7,} task statements  SOC {entry['soc_vintage']}  wages "
            f"{entry['wage_release']}  {entry['folder']}{changed}"
        )


def score_command(
    levels: Annotated[int, typer.Option(help="Levels of the hierarchy, the tasks included.")] = 3,
    n_top: Annotated[int, typer.Option(help="Nodes of the top level.")] = 12,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Score the task hierarchy against O*NET's own grouping of tasks into work activities."""
    from rich.console import Console

    from economic_index.paths import taxonomy_seeds
    from economic_index.taxonomy.build import Recipe, build_hierarchy
    from economic_index.taxonomy.releases import read_links, read_tasks
    from economic_index.taxonomy.score import score_hierarchy

    progress = Console(stderr=True)
    folder = taxonomy_seeds()
    tasks = read_tasks(folder)
    hierarchy = build_hierarchy(
        tasks,
        Recipe(levels=levels, n_top=n_top),
        on_progress=lambda line: progress.print(line, markup=False, style="dim"),
    )
    scores = score_hierarchy(hierarchy, read_links(folder), {task_id: text for task_id, text, _ in tasks})
    typer.echo(json.dumps([asdict(score) for score in scores]) if as_json else describe(scores))


def describe(scores: list[Score]) -> str:
    """The scores as a table."""
    lines = [
        "Adjusted mutual information with O*NET's work activities",
        f"{'level':<8}{'nodes':>6}  {'against':<12}{'hierarchy':>10}{'k-means':>9}{'random':>8}",
    ]
    for score in scores:
        against = f"{score.grouping} ({score.n_groups})"
        lines.append(
            f"{score.level:<8}{score.n_nodes:>6}  "
            f"{against:<12}{score.hierarchy:>10.3f}{score.kmeans:>9.3f}{score.random_tree:>8.3f}"
        )
    return "\n".join(lines)


def given_sums(pairs: list[str]) -> dict[str, Any]:
    """``NAME=HEX`` arguments as a dictionary; raises UserError for any other form."""
    from economic_index.errors import UserError

    sums = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UserError("--sha256 takes NAME=HEX, for example db_29_1_text.zip=0123...")
        sums[name] = value
    return sums
