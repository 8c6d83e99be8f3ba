"""One validation: files and configuration in, everything that the command prints out."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from economic_index.engines.factory import EngineSettings, make_engine
from economic_index.engines.ledger import Ledger
from economic_index.labelling.model import strategy_for
from economic_index.labelling.strategies import FieldMaker
from economic_index.labelling.task_space import TaskSpace
from economic_index.paths import ledger_file, taxonomy_seeds
from economic_index.registry import read_registry
from economic_index.validation.data import read_labelled
from economic_index.validation.run import Level, agreement, evaluate, predict

Say = Callable[[str], None]


@dataclass(frozen=True)
class Validation:
    """What was scored, with what, and the scores."""

    engine: str
    identity: Mapping[str, str]
    strategy: str
    taxonomy: str
    n_tasks: int
    n_conversations: int
    levels: list[Level]
    agreement: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "engine": self.engine,
            "engine_identity": dict(self.identity),
            "strategy": self.strategy,
            "taxonomy_release": self.taxonomy,
            "n_tasks": self.n_tasks,
            "n_conversations": self.n_conversations,
            "levels": [level.as_dict() for level in self.levels],
            "agreement_between_annotators": self.agreement,
        }


def validate(
    conversations: Path,
    labels: Sequence[Path],
    variables: Mapping[str, Any],
    *,
    with_baselines: bool = True,
    on_progress: Say | None = None,
) -> Validation:
    """Label the conversations with the engine that ``variables`` name and score the result.

    Args:
        conversations, labels: JSON Lines, plain or gzipped; one label file per annotator.
        variables: engine, strategy, models, mode, max_cost, max_calls, taxonomy_levels, taxonomy_n_top.
        with_baselines: also the baselines that embed (the majority class is always there).
        on_progress: told which step begins.

    Raises:
        UserError: unusable files, configuration or taxonomy; a missing key.
    """
    from economic_index import embeddings

    say = on_progress or (lambda line: None)
    labelled = read_labelled(conversations, labels)
    settings = EngineSettings.of(variables)
    name = str(variables.get("strategy") or "tree")
    say("loading the taxonomy")
    folder = taxonomy_seeds()
    space = load_space(folder, variables, say)
    registry = read_registry()
    fields = FieldMaker()
    with Ledger(ledger_file()) as ledger:
        engine = make_engine(settings, space, ledger)
        try:
            activities = _activities(folder) if name == "dwa" else None
            strategy = strategy_for(name, engine, space, fields, registry, activities)
            say(f"labelling {len(labelled.conversations):,} conversations")
            predicted = predict(labelled.conversations, space, registry, engine, ledger, strategy, fields)
            identity = dict(engine.identity())
        finally:
            close = getattr(engine, "close", None)
            if callable(close):
                close()
    say("scoring")
    levels = evaluate(labelled, predicted, space, embeddings.encode if with_baselines else None)
    return Validation(
        settings.engine,
        identity,
        name,
        _release(folder),
        len(space.task_ids),
        len(labelled.conversations),
        levels,
        agreement(labelled),
    )


def load_space(folder: Path, variables: Mapping[str, Any], say: Say | None = None) -> TaskSpace:
    """The task space of a seed folder, with its hierarchy from the store or built now.

    Raises:
        UserError: the folder does not hold taxonomy seeds.
    """
    from economic_index.taxonomy.build import Recipe, build_hierarchy
    from economic_index.taxonomy.releases import read_holders, read_tasks

    tasks = read_tasks(folder)
    recipe = Recipe(int(variables.get("taxonomy_levels") or 3), int(variables.get("taxonomy_n_top") or 12))
    hierarchy = build_hierarchy(tasks, recipe, on_progress=say)
    return TaskSpace.from_rows(
        ({"task_id": task, "task": text} for task, text, _ in tasks),
        ({"task_id": task, "soc_major_code": code[:2]} for task, code, _ in read_holders(folder)),
        hierarchy.to_pylist(),
    )


def _activities(folder: Path) -> dict[str, Any]:
    from economic_index.taxonomy.releases import read_activities, read_holders

    holders = [{"task_id": task, "onet_task_id": own} for task, _, own in read_holders(folder)]
    return {**read_activities(folder), "task_occupations": holders}


def _release(folder: Path) -> str:
    path = folder / "taxonomy_release.csv"
    if not path.is_file():
        return folder.name
    with path.open(encoding="utf-8", newline="") as file:
        return next((row.get("taxonomy_release") or folder.name for row in csv.DictReader(file)), folder.name)
