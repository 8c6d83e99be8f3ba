"""``economic-index agreement``: two strategies or engines on the same conversations, level by level."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from economic_index.errors import UserError

if TYPE_CHECKING:
    from economic_index.labelling.agreement import Agreement

_TABLES = {
    "tasks": "reference.tasks",
    "task_occupations": "reference.task_occupations",
    "task_hierarchy": "reference.task_hierarchy",
    "facets": "reference.facets",
    "facet_options": "reference.facet_options",
    "conversations": "facts.conversations_to_label",
    "dwa_reference": "reference.stg_onet__dwa_reference",
    "tasks_to_dwas": "reference.stg_onet__tasks_to_dwas",
}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("agreement")(agreement_command)


def agreement_command(
    first: Annotated[str, typer.Argument(help="ENGINE/STRATEGY, for example local/tree.")],
    second: Annotated[
        str,
        typer.Argument(
            help="ENGINE/STRATEGY, for example anthropic/shortlist; ENGINE/STRATEGY/3 for up to 3 tasks each."
        ),
    ],
    sample: Annotated[
        int | None, typer.Option(help="Compare on so many conversations; all by default.")
    ] = None,
    max_cost: Annotated[float | None, typer.Option(help="US dollars; vars.max_cost by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Label the conversations of the last build in two ways and compare the labels at every level.

    Answers that the ledger holds are not asked again. Needs a finished build: the task tables come from it.
    """
    from economic_index.labelling.agreement import Side, compare
    from economic_index.labelling.task_space import TaskSpace

    tables = _read(sample)
    space = TaskSpace.from_rows(
        tables["tasks"].to_pylist(),
        tables["task_occupations"].to_pylist(),
        tables["task_hierarchy"].to_pylist(),
    )
    one, other = (Side.from_rows(_label(name, tables, space, max_cost)) for name in (first, second))
    held: dict[str, set[str]] = {}
    for row in tables["task_occupations"].to_pylist():
        held.setdefault(str(row["task_id"]), set()).add(str(row["onet_soc_code"]))
    found = compare(one, other, space, {task: frozenset(codes) for task, codes in held.items()})
    if as_json:
        rows = [level.as_dict() for level in found]
        typer.echo(json.dumps({"first": first, "second": second, "levels": rows}))
    else:
        _print(first, second, found)


def _read(sample: int | None) -> dict[str, Any]:
    """The tables of the last build as Arrow; the conversations in the order of their ids."""
    import duckdb

    from economic_index.paths import private_database

    path: Path = private_database()
    if not path.is_file():
        raise UserError(f"There is no build at {path}; run dbt build first.")
    try:
        with duckdb.connect(str(path), read_only=True) as link:
            limit = (
                f" order by conversation_id limit {int(sample)}"
                if sample is not None
                else " order by conversation_id"
            )
            return {
                name: link.execute(
                    f"select * from {table}{limit if name == 'conversations' else ''}"
                ).to_arrow_table()
                for name, table in _TABLES.items()
            }
    except duckdb.IOException:
        raise UserError(f"The database {path} is in use by another process; wait for it to end.") from None
    except duckdb.CatalogException:
        raise UserError(f"The build at {path} is not complete; run dbt build first.") from None


def _label(name: str, tables: dict[str, Any], space: Any, max_cost: float | None) -> list[dict[str, Any]]:
    from economic_index.commands.estimate import project_variables
    from economic_index.engines.factory import EngineSettings, make_engine
    from economic_index.engines.ledger import Ledger
    from economic_index.labelling.labels import label_conversations
    from economic_index.labelling.model import read_conversations, strategy_for
    from economic_index.labelling.strategies import FieldMaker
    from economic_index.paths import ledger_file
    from economic_index.registry import build_registry

    engine_name, _, rest = name.partition("/")
    strategy_name, _, most = rest.partition("/")
    if not strategy_name:
        raise UserError(f"The side {name!r} is not of the form ENGINE/STRATEGY, for example local/tree.")
    values = {**project_variables(), "engine": engine_name, "max_tasks": most or "1"}
    if max_cost is not None:
        values["max_cost"] = max_cost
    registry = build_registry(tables["facets"].to_pylist(), tables["facet_options"].to_pylist())
    fields = FieldMaker()
    settings = EngineSettings.of(values)
    with Ledger(ledger_file()) as ledger:
        engine = make_engine(settings, space, ledger)
        try:
            activities = {
                name: tables[name].to_pylist()
                for name in ("dwa_reference", "tasks_to_dwas", "task_occupations")
            }
            strategy = strategy_for(
                strategy_name, engine, space, fields, registry, activities, settings.max_tasks
            )
            rows: list[dict[str, Any]] = []
            talks = read_conversations(tables["conversations"])
            for batch in label_conversations(talks, registry, engine, ledger, strategy, fields):
                rows += batch.to_pylist()
            return rows
        finally:
            close = getattr(engine, "close", None)
            if callable(close):
                close()


def _print(first: str, second: str, found: list[Agreement]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=f"{first} against {second}", title_justify="left")
    for name in ("level", "both labelled", "agree", "95 % interval", "whole set", "kappa"):
        table.add_column(name, justify="left" if name == "level" else "right")
    for level in found:
        if level.share is None or level.low is None or level.high is None:
            table.add_row(level.level, "0", "", "", "", "")
            continue
        exact = "" if level.share_exact is None else f"{level.share_exact:.1%}"
        kappa = "" if level.kappa is None else f"{level.kappa:.2f}"
        between = f"{level.low:.1%} to {level.high:.1%}"
        table.add_row(level.level, f"{level.n:,}", f"{level.share:.1%}", between, exact, kappa)
    Console(width=100).print(table)
