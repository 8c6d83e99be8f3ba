"""``economic-index validate``: the configured engine against conversations that somebody labelled."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from economic_index.validation.run import Level
    from economic_index.validation.session import Validation

_SHOWN = ("accuracy", "acceptable", "kappa", "macro_f1", "balanced_accuracy", "jaccard", "micro_f1")
_BASELINES = {
    "majority class": "majority",
    "nearest task by embedding": "nearest task",
    "in-domain cross-validation": "in-domain",
}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("validate")(validate_command)


def validate_command(
    conversations: Annotated[
        Path, typer.Option(help="JSON Lines with conversation_id and messages; plain or gzipped.")
    ],
    labels: Annotated[list[Path], typer.Option(help="JSON Lines with labels; give it once per annotator.")],
    engine: Annotated[str | None, typer.Option(help="vars.engine by default.")] = None,
    strategy: Annotated[str | None, typer.Option(help="vars.strategy by default.")] = None,
    baselines: Annotated[bool, typer.Option(help="Compute the embedding baselines as well.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Score the engine at every level, with intervals, beside its baselines.

    Runs over the taxonomy in use (ECONOMIC_INDEX_TAXONOMY). Answers that the ledger holds are not asked
    again.
    """
    from economic_index.commands.estimate import project_variables
    from economic_index.validation.session import validate

    values = project_variables()
    if engine is not None:
        values["engine"] = engine
    if strategy is not None:
        values["strategy"] = strategy

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    found = validate(conversations, labels, values, with_baselines=baselines, on_progress=say)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), ensure_ascii=False))
    else:
        _print(found)


def _print(found: Validation) -> None:
    from rich.console import Console

    console = Console(width=112)
    console.print(
        f"engine {found.engine}, strategy {found.strategy}, taxonomy {found.taxonomy}, {found.n_tasks:,} "
        f"tasks, {found.n_conversations:,} labelled conversations",
        highlight=False,
    )
    for annotator in dict.fromkeys(level.annotator for level in found.levels):
        console.print(_table(annotator, [level for level in found.levels if level.annotator == annotator]))
    if found.agreement:
        console.print(_agreement_table(found.agreement))


def _table(annotator: str, levels: list[Level]) -> Any:
    from rich import box
    from rich.table import Table

    title = "against what any annotator accepts" if annotator == "either" else f"against {annotator}"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    readers = [name for name in _BASELINES if any(name in level.baselines for level in levels)]
    for name in ("level", "n", "score", "engine", "95 % interval", *(_BASELINES[r] for r in readers)):
        table.add_column(name, justify="left" if name in ("level", "score") else "right", no_wrap=True)
    for level in levels:
        for place, name in enumerate(name for name in _SHOWN if name in level.metrics):
            metric = level.metrics[name]
            beside = [level.baselines.get(reader, {}).get(name) for reader in readers]
            table.add_row(
                "" if place else level.level,
                "" if place else f"{level.n:,}",
                name.replace("_", " "),
                f"{metric.value:.2f}",
                f"{metric.low:.2f} to {metric.high:.2f}",
                *("" if other is None else f"{other.value:.2f}" for other in beside),
            )
    return table


def _agreement_table(pairs: list[dict[str, Any]]) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title="annotators against each other", title_justify="left")
    for name in ("level", "n", "scores"):
        table.add_column(name, justify="right" if name == "n" else "left")
    for pair in pairs:
        scores = ", ".join(
            f"{name.replace('_', ' ')} {m['value']:.2f}" for name, m in pair["metrics"].items()
        )
        table.add_row(pair["level"], f"{pair['n']:,}", scores)
    return table
