"""Labels of a stream of conversations, long: one row per conversation, facet and chosen option.

Rows of a conversation:

* ``occupational`` always; nothing more when the screen says no, or has no valid answer;
* every other facet of the registry that was asked, ``task`` among them (``option_id`` is the task id or
  ``none``);
* a ``multi`` facet has a row per chosen option. Asked and nothing chosen is ONE row with status ``ok`` and a
  null ``option_id``; not asked is no row at all;
* ``task`` is one row always: the best task. With ``max_tasks`` above 1, further tasks of the conversation are rows
  of the facet ``further_task``, best first: everything that counts a conversation once reads ``task``
  alone;
* a ``number`` facet has the number as text in ``option_id``;
* an answer that is none (``invalid``, ``refused``, ``failed``) is one row with a null ``option_id``, a null
  ``confidence`` and the reason.

``confidence`` is 0..1. For the task of strategy ``tree`` it is the product down the path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from economic_index.conversation import Conversation
from economic_index.engines.asking import ask
from economic_index.engines.base import Answer, Chosen, Engine, Request
from economic_index.engines.ledger import Ledger
from economic_index.engines.usage import Tally
from economic_index.labelling.strategies import TASK, FacetRounds, FieldMaker, Labelled, Strategy
from economic_index.registry import Facet

SCHEMA = pa.schema(
    [
        pa.field("conversation_id", pa.string(), nullable=False),
        pa.field("facet", pa.string(), nullable=False),
        pa.field("option_id", pa.string()),
        pa.field("confidence", pa.float64()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
    ]
)

#: Tasks of a conversation beside its best one (the paper's Appendix B.1: up to three).
FURTHER_TASK = "further_task"
#: Conversations, and characters of them, that are in memory at once.
BLOCK_CONVERSATIONS = 1_000
BLOCK_CHARACTERS = 64_000_000
#: More rounds than any hierarchy has levels: a strategy that goes on has a fault.
_MOST_STEPS = 20

#: Called as ``on_progress(done)`` with the number of conversations finished.
OnProgress = Callable[[int], None]


def label_conversations(
    conversations: Iterable[Conversation],
    registry: Mapping[str, Facet],
    engine: Engine,
    ledger: Ledger,
    strategy: Strategy,
    fields: FieldMaker | None = None,
    on_progress: OnProgress | None = None,
    block_size: int = BLOCK_CONVERSATIONS,
    tally: Tally | None = None,
) -> Iterator[pa.RecordBatch]:
    """Label a stream block by block; memory does not grow with its length.

    Args:
        conversations: admitted conversations. Equal contents are asked once and labelled alike.
        registry: facets by name.
        engine: who answers; every answer passes through ``ledger``.
        strategy: how a task is found.
        fields: shared with the strategy, so that equal questions are one object.
        on_progress: told after every block.
        block_size: conversations per block. Engines with latency (batches) want large ones.
        tally: counts what the answers cost.

    Yields:
        Batches of ``SCHEMA``, conversations in the order given.

    Raises:
        UserError: from the engine or the ledger. Blocks before it are in the ledger, whatever becomes of
        this one.
    """
    facets = getattr(strategy, "facet_rounds", None) or FacetRounds(registry, fields or FieldMaker())
    done = 0
    for block in blocks(conversations, block_size):
        labelled = [Labelled(conversation) for conversation in block]
        _ask(engine, ledger, facets.requests(labelled, "all"), tally)
        _keep_what_was_to_be_asked(labelled, registry)
        inside = [item for item in labelled if item.screened_in]
        _ask(engine, ledger, facets.requests(inside, "occupational"), tally)
        if TASK in registry:
            _find_tasks(engine, ledger, strategy, inside, tally)
        yield to_batch(labelled)
        done += len(block)
        if on_progress is not None:
            on_progress(done)


def blocks(
    conversations: Iterable[Conversation], size: int, characters: int = BLOCK_CHARACTERS
) -> Iterator[list[Conversation]]:
    """Lists of at most ``size`` conversations and about ``characters`` characters."""
    block: list[Conversation] = []
    held = 0
    for conversation in conversations:
        block.append(conversation)
        held += sum(len(message.content) for message in conversation.messages)
        if len(block) >= size or held >= characters:
            yield block
            block, held = [], 0
    if block:
        yield block


def _ask(
    engine: Engine, ledger: Ledger, asked: Sequence[tuple[Labelled, Request]], tally: Tally | None
) -> None:
    answers = ask(engine, ledger, [request for _, request in asked], tally=tally)
    for (item, request), answer in zip(asked, answers, strict=True):
        for question in request.fields:
            item.answers[question.name] = answer


def _keep_what_was_to_be_asked(labelled: Sequence[Labelled], registry: Mapping[str, Facet]) -> None:
    """Drop the occupational facets of conversations that are not screened in: a combined request asks all at
    once."""
    for item in labelled:
        if not item.screened_in:
            item.answers = {name: a for name, a in item.answers.items() if registry[name].scope == "all"}


def _find_tasks(
    engine: Engine, ledger: Ledger, strategy: Strategy, inside: Sequence[Labelled], tally: Tally | None
) -> None:
    for step in range(_MOST_STEPS):
        asked = strategy.requests(inside, step)
        if not asked:
            return
        answers = ask(engine, ledger, [request for _, request in asked], tally=tally)
        for (item, request), answer in zip(asked, answers, strict=True):
            strategy.take(item, request, answer)
    raise RuntimeError(f"strategy {strategy.name} did not end after {_MOST_STEPS} rounds")


def to_batch(labelled: Sequence[Labelled]) -> pa.RecordBatch:
    """The rows of a block, facets in the order they were asked."""
    columns: list[list[object]] = [[] for _ in SCHEMA]
    for item in labelled:
        name = item.conversation.conversation_id
        for facet, answer in item.answers.items():
            for stored, part in _parts(facet, answer):
                for row in _rows(facet, part):
                    for column, value in zip(columns, (name, stored, *row), strict=True):
                        column.append(value)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _parts(facet: str, answer: Answer) -> list[tuple[str, Answer]]:
    """An answer under the name it is stored by; several tasks as the best one and the further ones."""
    if facet != TASK or answer.status != "ok" or len(answer.values[TASK].options) < 2:
        return [(facet, answer)]
    options, confidences = answer.values[TASK].options, answer.values[TASK].confidences
    first, others = Chosen(options[:1], confidences[:1]), Chosen(options[1:], confidences[1:])
    return [
        (name, replace(answer, values={TASK: chosen}))
        for name, chosen in ((TASK, first), (FURTHER_TASK, others))
    ]


_Row = tuple[str | None, float | None, str, str | None]


def _rows(facet: str, answer: Answer) -> list[_Row]:
    if answer.status != "ok":
        return [(None, None, answer.status, answer.reason)]
    chosen = answer.values[facet]
    if chosen.number is not None:
        return [(repr(float(chosen.number)), _confidence(chosen.confidences, 0), "ok", None)]
    if not chosen.options:
        return [(None, None, "ok", None)]
    return [
        (option, _confidence(chosen.confidences, i), "ok", None) for i, option in enumerate(chosen.options)
    ]


def _confidence(confidences: Sequence[float], position: int) -> float | None:
    if position >= len(confidences):
        return None
    return min(1.0, max(0.0, float(confidences[position])))
