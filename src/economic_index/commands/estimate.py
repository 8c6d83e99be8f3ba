"""``economic-index estimate``: calls, tokens and cost of a run before anything is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from economic_index.errors import UserError

if TYPE_CHECKING:
    from economic_index.engines.anthropic.estimate import Estimate, Shape

SAMPLE = 300


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("estimate")(estimate_command)


def estimate_command(
    conversations: Annotated[
        str | None,
        typer.Option(
            help="Canonical file or glob; ECONOMIC_INDEX_CONVERSATIONS or vars.conversations by default."
        ),
    ] = None,
    strategy: Annotated[
        list[str] | None, typer.Option(help="tree, compact, shortlist or dwa; all of them by default.")
    ] = None,
    mode: Annotated[list[str] | None, typer.Option(help="direct or batch; both by default.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Model, or STAGE=MODEL for one stage; vars.models by default.")
    ] = None,
    passing: Annotated[float, typer.Option(help="Share of conversations that pass the screen.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print what labelling, and once the task hierarchy, would cost in each mode; needs no key and sends nothing."""
    from economic_index.engines.anthropic.estimate import MODES, STRATEGIES, estimate
    from economic_index.engines.anthropic.money import PriceTable
    from economic_index.engines.anthropic.settings import price_file
    from economic_index.registry import read_registry
    from economic_index.taxonomy.build import Recipe
    from economic_index.taxonomy.estimate import estimate_hierarchy

    strategies = _known("strategy", strategy, STRATEGIES)
    modes = _known("mode", mode, MODES)
    if not 0 <= passing <= 1:
        raise UserError("The option --passing is a share between 0 and 1.")
    models = _models(model)
    prices = PriceTable.read(price_file())
    sample, total = _read(conversations)
    texts, shape = _shape()
    lines = estimate(sample, total, read_registry(), shape, models, prices, passing, strategies, modes)
    values = project_variables()
    recipe = Recipe(int(values.get("taxonomy_levels", 3)), int(values.get("taxonomy_n_top", 12)))
    hierarchy = estimate_hierarchy(texts, recipe, models, prices, modes)
    builder = str(values.get("taxonomy_engine") or "local")
    if as_json:
        document = {"models": models, "prices": prices.source, "passing": passing, "taxonomy_engine": builder}
        document["estimates"] = [line.as_dict() for line in lines]
        document["taxonomy"] = [line.as_dict() for line in hierarchy]
        typer.echo(json.dumps(document))
        return
    _print(lines, hierarchy, models, builder)


def _known(what: str, given: list[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    for name in given or ():
        if name not in known:
            raise UserError(f"The option --{what} is one of {', '.join(known)}.")
    return tuple(given) if given else known


def project_variables() -> dict[str, Any]:
    """``vars`` of ``dbt_project.yml``."""
    import yaml

    from economic_index.paths import project_root

    raw = yaml.safe_load((project_root() / "dbt_project.yml").read_text(encoding="utf-8"))
    return dict(raw.get("vars") or {})


def _models(given: list[str] | None) -> dict[str, str]:
    models = dict(project_variables().get("models") or {})
    for entry in given or ():
        stage, equals, name = entry.partition("=")
        models[stage if equals else "default"] = name if equals else stage
    if not models.get("default"):
        raise UserError("No default model is known; give --model NAME or set vars.models.default.")
    return models


def _read(location: str | None) -> tuple[list[Any], int]:
    """A sample of the conversations and their number."""
    import os

    from economic_index.conversation import Conversation, Message
    from economic_index.paths import project_root
    from economic_index.sources.contract import COLUMNS
    from economic_index.sources.files import find_files, read_records
    from economic_index.sources.validate import check

    pattern = (
        location or os.environ.get("ECONOMIC_INDEX_CONVERSATIONS") or project_variables().get("conversations")
    )
    total = 0
    kept: list[Conversation] = []
    for path in find_files(str(pattern), project_root()):
        for record in read_records(path, COLUMNS):
            row = check(record.values, record.reason)
            if row.reason is not None or row.messages is None:
                continue
            total += 1
            # The first of each hundred: files are often sorted by time or length.
            if len(kept) < SAMPLE and (total <= SAMPLE // 3 or total % 100 == 1):
                kept.append(
                    Conversation(str(total), tuple(Message(role, text) for role, text in row.messages))
                )
    if not kept:
        raise UserError(f"No readable conversation was found at {pattern}; give --conversations FILE.")
    return kept, total


def _shape() -> tuple[list[str], Shape]:
    """Statements, fan-outs and lengths of the taxonomy in use, from its seed files; nothing has to be built."""
    import csv
    from itertools import pairwise

    from economic_index.engines.anthropic.estimate import Shape
    from economic_index.engines.anthropic.render import estimate_tokens
    from economic_index.paths import taxonomy_seeds
    from economic_index.taxonomy.build import level_sizes

    folder = taxonomy_seeds()
    try:
        with (folder / "onet_task_statements.csv").open(encoding="utf-8", newline="") as file:
            texts = {" ".join(row["task"].lower().split()) for row in csv.DictReader(file)}
        with (folder / "onet_tasks_to_dwas.csv").open(encoding="utf-8", newline="") as file:
            links = [row["dwa_id"] for row in csv.DictReader(file)]
    except (OSError, KeyError):
        raise UserError(
            f"The taxonomy seeds in {folder} cannot be read; run economic-index taxonomy install."
        ) from None
    values = project_variables()
    sizes = level_sizes(
        len(texts), int(values.get("taxonomy_levels", 3)), int(values.get("taxonomy_n_top", 12))
    )
    fan_outs = (float(sizes[0]), *(below / above for above, below in pairwise(sizes)))
    activities = len(set(links))
    shape = Shape(
        fan_outs,
        sum(map(estimate_tokens, texts)) / len(texts),
        activities,
        tasks_per_activity=len(links) / max(1, activities),
    )
    return sorted(texts), shape


def _print(lines: list[Estimate], hierarchy: list[Estimate], models: dict[str, str], builder: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    names = ("strategy", "mode", "calls", "input", "from cache", "to cache", "output", "US dollars")
    for name in names:
        table.add_column(name, justify="left" if name in ("strategy", "mode") else "right")
    for line in [*lines, *hierarchy]:
        cost = "no price" if line.cost_usd is None else f"{line.cost_usd:,.2f}"
        tokens = (line.input_tokens, line.cache_read_tokens, line.cache_write_tokens, line.output_tokens)
        table.add_row(line.strategy, line.mode, f"{line.calls:,}", *(f"{count:,}" for count in tokens), cost)
    console = Console(width=110)
    console.print(table)
    total = lines[0].conversations if lines else 0
    used = ", ".join(f"{stage}: {name}" for stage, name in models.items())
    console.print(
        f"About {total:,} conversations, models {used}. Tokens are estimated on the high side; batches may "
        "read fewer from the cache. Answers that the ledger holds already cost nothing."
    )
    whether = (
        "comes on top once"
        if builder == "anthropic"
        else "is paid only with taxonomy_engine: anthropic, once"
    )
    console.print(f"The line taxonomy {whether}: a hierarchy is stored and reused by every later run.")
