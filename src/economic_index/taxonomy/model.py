"""The entry point of the dbt model ``task_hierarchy_built``: tasks and variables in, the hierarchy out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

import pyarrow as pa

from economic_index.engines.factory import EngineSettings, make_taxonomy_engine
from economic_index.engines.ledger import Ledger
from economic_index.engines.usage import UsageStore
from economic_index.paths import ledger_file, usage_file
from economic_index.taxonomy.build import (
    Proposer,
    Recipe,
    artefact_path,
    build_hierarchy,
    stored_usage,
)
from economic_index.taxonomy.local import LocalProposer

_EVERY_SECONDS = 10.0


def hierarchy_table(
    tasks: Iterable[tuple[int, str, str]],
    *,
    levels: int,
    n_top: int,
    variables: Mapping[str, Any] | None = None,
) -> pa.Table:
    """The hierarchy over ``tasks`` (task_id, text, task_key) in ``build.SCHEMA``, from the store or built now.

    A hierarchy that is stored already is returned without a key and without a question, whoever built it. What its
    answers cost stands in the usage record either way.

    Args:
        tasks: one entry per distinct task text.
        levels, n_top: the recipe.
        variables: taxonomy_engine, engine (for replay), models, mode, max_cost, max_calls.

    Raises:
        UserError: unusable variables or tasks; a missing key; the budget is spent (run again to go on).
    """
    settings = EngineSettings.of(variables or {})
    recipe = Recipe(levels=levels, n_top=n_top)
    rows = sorted(tasks)
    engine = make_taxonomy_engine(settings)
    if engine is None:
        return _built(rows, recipe, LocalProposer(seed=recipe.seed))
    from economic_index.taxonomy.anthropic_ import AnthropicProposer

    with Ledger(ledger_file()) as ledger:
        try:
            proposer = AnthropicProposer(engine, ledger, recipe.seed, progress_line())
            return _built(rows, recipe, proposer)
        finally:
            close = getattr(engine, "close", None)
            if callable(close):
                close()


def _built(rows: list[tuple[int, str, str]], recipe: Recipe, proposer: Proposer) -> pa.Table:
    """The hierarchy, with its cost noted."""
    table = build_hierarchy(rows, recipe, proposer)
    with UsageStore(usage_file()) as store:
        store.set_study("taxonomy", stored_usage(artefact_path(rows, recipe, proposer)))
    return table


def progress_line(stream: TextIO | None = None) -> Callable[[int, int], None]:
    """A callback that writes how many questions of a step are answered, at most every ten seconds."""
    out = stream or sys.stderr
    last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY_SECONDS:
            last = time.monotonic()
            out.write(f"task hierarchy: {done:,} of {total:,} questions of this step answered\n")
            out.flush()

    return report
