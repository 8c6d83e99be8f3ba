"""The entry point of the dbt model ``conversation_answers``: relations in, one stream of answers out."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any, TextIO

import pyarrow as pa

from economic_index.conversation import Conversation, Message
from economic_index.engines.base import Engine
from economic_index.engines.factory import EngineSettings, make_engine
from economic_index.engines.ledger import Ledger
from economic_index.engines.usage import Tally, UsageStore
from economic_index.errors import UserError
from economic_index.labelling.labels import BLOCK_CONVERSATIONS, SCHEMA, label_conversations
from economic_index.labelling.reading import reading_strategy
from economic_index.labelling.strategies import FieldMaker, Shortlist, Strategy, Tree
from economic_index.labelling.task_space import TaskSpace
from economic_index.paths import ledger_file, usage_file, warehouse
from economic_index.registry import Facet, build_registry

STRATEGIES = ("tree", "shortlist")
#: Batches come back after minutes to hours: the fewer rounds of them the better.
BATCH_BLOCK = 20_000
_READ_ROWS = 512
_EVERY_SECONDS = 10.0


def answer_table(
    conversations: Any,
    tasks: Any,
    task_occupations: Any,
    task_hierarchy: Any,
    facets: Any,
    facet_options: Any,
    variables: Mapping[str, Any],
    dwa_reference: Any = None,
    tasks_to_dwas: Any = None,
) -> pa.RecordBatchReader:
    """Label every row of ``conversations`` and return all answers in ``labels.SCHEMA``.

    Args:
        conversations: DuckDB relation or Arrow table with conversation_id and messages; read in a stream.
        tasks, task_occupations, task_hierarchy, facets, facet_options: the dbt tables of these names.
        variables: engine, strategy, models, mode, max_cost, max_calls, max_tasks.
        dwa_reference, tasks_to_dwas: the staging tables of O*NET's work activities, for the strategy dwa.

    Raises:
        UserError: unusable variables, registry or taxonomy; a missing key; a replay miss; a full disk.
    """
    settings = EngineSettings.of(variables)
    registry = build_registry(rows(facets), rows(facet_options))
    space = TaskSpace.from_rows(rows(tasks), rows(task_occupations), rows(task_hierarchy))
    total = _count(conversations)
    tally = Tally()
    with Ledger(ledger_file()) as ledger:
        engine = make_engine(settings, space, ledger)
        try:
            fields = FieldMaker()
            activities = {
                "dwa_reference": rows(dwa_reference) if dwa_reference is not None else (),
                "tasks_to_dwas": rows(tasks_to_dwas) if tasks_to_dwas is not None else (),
                "task_occupations": rows(task_occupations),
            }
            name = str(variables.get("strategy") or "tree")
            strategy = strategy_for(name, engine, space, fields, registry, activities, settings.max_tasks)
            block = (
                BATCH_BLOCK
                if settings.mode == "batch" and engine.name == "anthropic"
                else BLOCK_CONVERSATIONS
            )
            batches = label_conversations(
                read_conversations(conversations),
                registry,
                engine,
                ledger,
                strategy,
                fields,
                progress_line(total),
                block,
                tally,
            )
            answers = spooled(batches)
            tally.name_models(engine.identity())
        finally:
            close = getattr(engine, "close", None)
            if callable(close):
                close()
    with UsageStore(usage_file()) as store:
        store.set_study("labelling", tally.as_rows())
    return answers


def strategy_for(
    name: str,
    engine: Engine,
    space: TaskSpace,
    fields: FieldMaker,
    registry: Mapping[str, Facet],
    activities: Mapping[str, Any] | None = None,
    max_tasks: int = 1,
) -> Strategy:
    """The strategy of this name for an engine: one that reads gets the strategies made for reading.

    Args:
        name: tree, shortlist; for engines that read also compact and dwa.
        activities: rows of dwa_reference, tasks_to_dwas and task_occupations, needed by dwa alone.
        max_tasks: 1, or up to 3 tasks for a conversation.

    Raises:
        UserError: an unknown name, a hierarchy or work activities that are missing.
    """
    if engine.identity().get("replayed_engine", engine.name) == "local":
        return make_strategy(name, space, fields, engine, max_tasks)
    return reading_strategy(name, space, fields, registry, max_tasks=max_tasks, **(activities or {}))


def make_strategy(
    name: str, space: TaskSpace, fields: FieldMaker, engine: Engine, max_tasks: int = 1
) -> Strategy:
    """The strategy of this name, for up to ``max_tasks`` tasks a conversation.

    Raises:
        UserError: an unknown name, or a tree without a hierarchy.
    """
    if name == "tree":
        return Tree(space, fields, max_tasks)
    if name == "shortlist":
        from economic_index.engines.local.engine import LocalEngine
        from economic_index.labelling.candidates import EmbeddingCandidates

        # The local engine has read the conversations already; another engine gets a reader of its own.
        reader = engine if isinstance(engine, LocalEngine) else LocalEngine(space)
        return Shortlist(space, EmbeddingCandidates(reader), max_tasks)
    raise UserError(f"vars.strategy is {name!r}; use one of {', '.join(STRATEGIES)}.")


def rows(table: Any) -> list[dict[str, Any]]:
    """Rows of a DuckDB relation or Arrow table as dicts (for the small reference tables)."""
    if hasattr(table, "to_arrow_table"):
        table = table.to_arrow_table()
    elif not hasattr(table, "to_pylist"):
        table = table.arrow().read_all()
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def _count(table: Any) -> int:
    if isinstance(table, pa.Table):
        return table.num_rows
    return int(table.aggregate("count(*)").fetchall()[0][0])


def _batches(table: Any) -> Iterable[pa.RecordBatch]:
    if isinstance(table, pa.Table):
        return table.to_batches(max_chunksize=_READ_ROWS)
    reader: Iterable[pa.RecordBatch] = table.to_arrow_reader(_READ_ROWS)
    return reader


def read_conversations(table: Any) -> Iterator[Conversation]:
    """Conversations of a relation, a few hundred in memory at a time; in no promised order."""
    for batch in _batches(table):
        names = batch.column("conversation_id").to_pylist()
        for name, messages in zip(names, batch.column("messages").to_pylist(), strict=True):
            yield Conversation(name, tuple(Message(m["role"], m["content"]) for m in messages))


def spooled(batches: Iterator[pa.RecordBatch]) -> pa.RecordBatchReader:
    """The batches by way of a nameless file in the warehouse: an error then ends this model with its own
    sentence and not inside the database, and the connection is free again before dbt writes.

    Raises:
        UserError: the disk is full.
    """
    try:
        file: IO[bytes] = tempfile.TemporaryFile(dir=warehouse())  # noqa: SIM115  (the reader keeps it open)
        with pa.ipc.new_stream(
            pa.PythonFile(file, mode="w"), SCHEMA, options=pa.ipc.IpcWriteOptions(compression="lz4")
        ) as writer:
            for batch in batches:
                writer.write_batch(batch)
        file.flush()
        file.seek(0)
    except OSError as error:
        raise UserError(
            f"The answers cannot be copied into {warehouse()} ({error.strerror or 'write error'}); "
            "make room there."
        ) from None
    return pa.ipc.open_stream(pa.PythonFile(file, mode="r"))


def progress_line(total: int, stream: TextIO | None = None) -> Callable[[int], None]:
    """A callback that writes done, rate and time left to standard error, at most every ten seconds."""
    out = stream or sys.stderr
    start = time.monotonic()
    last = start

    def report(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _EVERY_SECONDS and not (done >= total and now - start >= _EVERY_SECONDS):
            return
        last = now
        rate = done / max(1e-9, now - start)
        left = max(0, total - done) / max(1e-9, rate)
        out.write(f"labelled {done:,} of {total:,} conversations, {rate:,.0f}/s, {left:,.0f} s left\n")
        out.flush()

    return report
