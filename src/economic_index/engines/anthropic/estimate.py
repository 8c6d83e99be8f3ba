"""What a run would cost, before anything is sent: the first requests rendered, the later ones from the
taxonomy's shape.

A rough count by construction: tokens are estimated from characters (on the high side), and how many
conversations pass the screen is an assumption. What the server bills is counted while a run goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from economic_index.conversation import Conversation
from economic_index.engines.anthropic.client import is_cacheable
from economic_index.engines.anthropic.money import Price, PriceTable
from economic_index.engines.anthropic.render import Rendered, estimate_tokens, render
from economic_index.engines.base import Field, Option, Request, Usage
from economic_index.registry import Facet

MODES = ("direct", "batch")
STRATEGIES = ("tree", "compact", "shortlist", "dwa")
SUMMARY_TOKENS = 80
#: Output tokens that an answer typically takes, by prompt.
_OUTPUT = {"task": 120, "collaboration_pattern": 90, "compact": 190, "choose": 20, "dwa": 25, "skill": 25}
_PLAIN_OUTPUT = 12
_WORDS = "word " * 200


@dataclass(frozen=True)
class Shape:
    """What is known of the tasks: how many children a node has by level, from the top; words of a task;
    activities.

    ``fan_outs``: ``(12, 39.5, 41.2)`` for the paper's hierarchy.
    """

    fan_outs: tuple[float, ...]
    task_tokens: float
    activities: int = 0
    activity_tokens: float = 11.0
    tasks_per_activity: float = 11.3


@dataclass(frozen=True)
class Estimate:
    """One line of the estimate. Tokens are uncached input, cache reads, cache writes and output."""

    strategy: str
    mode: str
    conversations: int
    calls: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    cost_usd: float | None

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


@dataclass(frozen=True)
class _Step:
    """One call per (share of the) conversations: tokens that may be cached, others, and output."""

    stage: str
    static: float
    varying: float
    output: float
    share: float
    cacheable: bool
    prefixes: int = 1


def estimate(
    conversations: Sequence[Conversation],
    total: int,
    registry: Mapping[str, Facet],
    shape: Shape,
    models: Mapping[str, str],
    prices: PriceTable,
    passing: float = 1.0,
    strategies: Sequence[str] = STRATEGIES,
    modes: Sequence[str] = MODES,
) -> list[Estimate]:
    """Estimates for each strategy and mode.

    Args:
        conversations: a sample; the mean of its requests stands for all.
        total: number of conversations to be asked about.
        registry: facets by name.
        shape: the taxonomy's shape.
        models: model by stage, with ``default``.
        prices: price table; a model without a price has the cost None.
        passing: share of conversations that the screen lets through.
        strategies, modes: which lines to make.
    """
    lines = []
    for strategy in strategies:
        if strategy == "dwa" and not shape.activities:
            continue
        steps = _steps(strategy, conversations, registry, shape, models, prices, passing)
        lines += [_line(strategy, mode, steps, total, models, prices) for mode in modes]
    return lines


@dataclass(frozen=True)
class Asked:
    """A typical question and how often it is asked; ``output``: tokens of its answer."""

    rendered: Rendered
    calls: int
    output: float


def estimate_questions(
    name: str, mode: str, asked: Sequence[Asked], models: Mapping[str, str], prices: PriceTable
) -> Estimate:
    """One line for questions that are not about conversations (``Estimate.conversations`` is 0).

    Args:
        name: stands in the column ``strategy``.
        mode: direct or batch.
        asked: typical questions with their numbers.
        models, prices: as for ``estimate``.
    """
    steps = []
    for question in asked:
        entry = question.rendered
        price = prices.get(model_of(models, entry.stage))
        static = estimate_tokens(entry.static) + len(orjson.dumps(entry.schema)) / 3.6
        varying = float(estimate_tokens(entry.user))
        cacheable = is_cacheable(entry, price)
        steps.append(_Step(entry.stage, static, varying, question.output, float(question.calls), cacheable))
    return replace(_line(name, mode, steps, 1, models, prices), conversations=0)


def model_of(models: Mapping[str, str], stage: str) -> str:
    """The model of a stage, as ``Settings.model`` finds it."""
    group = "taxonomy" if stage.startswith("taxonomy_") else "default"
    return models.get(stage) or models.get(group) or models["default"]


def _line(
    strategy: str,
    mode: str,
    steps: Sequence[_Step],
    total: int,
    models: Mapping[str, str],
    prices: PriceTable,
) -> Estimate:
    whole, cost = Usage(), 0.0
    priced = True
    for step in steps:
        used = _usage(step, total)
        price = prices.get(model_of(models, step.stage))
        priced = priced and price is not None
        cost += price.cost(used, batch=mode == "batch") if price is not None else 0.0
        whole = Usage(*(one + other for one, other in zip(_counts(whole), _counts(used), strict=True)))
    return Estimate(
        strategy,
        mode,
        total,
        whole.calls,
        whole.input_tokens,
        whole.cache_read_tokens,
        whole.cache_write_tokens,
        whole.output_tokens,
        round(cost, 4) if priced else None,
    )


def _counts(usage: Usage) -> tuple[int, ...]:
    return (
        usage.calls,
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.output_tokens,
    )


def _usage(step: _Step, total: int) -> Usage:
    calls = round(total * step.share)
    writes = min(calls, step.prefixes) if step.cacheable else 0
    uncached = calls * step.varying + (0 if step.cacheable else calls * step.static)
    return Usage(
        calls,
        round(uncached),
        round((calls - writes) * step.static) if step.cacheable else 0,
        round(writes * step.static),
        round(calls * step.output),
    )


def _steps(
    strategy: str,
    conversations: Sequence[Conversation],
    registry: Mapping[str, Facet],
    shape: Shape,
    models: Mapping[str, str],
    prices: PriceTable,
    passing: float,
) -> list[_Step]:
    facets = {name: facet for name, facet in registry.items() if name != "task"}

    def step(
        stage: str, fields: tuple[Field, ...], share: float, on_summary: bool, prefixes: int = 1
    ) -> _Step:
        price = prices.get(models.get(stage) or models["default"])
        return _measure(stage, fields, share, conversations, on_summary, price, prefixes)

    if strategy == "tree":
        steps = [
            step(name, (facet.as_field(),), 1.0 if facet.scope == "all" else passing, False)
            for name, facet in facets.items()
        ]
        levels = [
            (f, "base" if i == len(shape.fan_outs) - 1 else "middle") for i, f in enumerate(shape.fan_outs)
        ]
        return steps + [step(stage, (_tasks(n, shape.task_tokens),), passing, False) for n, stage in levels]
    steps = [step("compact", tuple(facet.as_field() for facet in facets.values()), 1.0, False, 4)]
    if strategy == "compact":
        levels = [
            (f, "base" if i == len(shape.fan_outs) - 1 else "middle") for i, f in enumerate(shape.fan_outs)
        ]
        return steps + [step(stage, (_tasks(n, shape.task_tokens),), passing, True) for n, stage in levels]
    if strategy == "shortlist":
        return [*steps, step("shortlist", (_tasks(41, shape.task_tokens),), passing, True)]
    activity = (_tasks(shape.activities + 1, shape.activity_tokens, "activity"),)
    tasks = (_tasks(shape.tasks_per_activity + 11, shape.task_tokens),)
    return [*steps, step("dwa", activity, passing, True, 4), step("dwa_task", tasks, passing, True)]


def _tasks(count: float, tokens: float, name: str = "task") -> Field:
    """A choice among ``count`` options of ``tokens`` tokens each."""
    text = _WORDS[: max(4, round(tokens * 3.6))]
    options = tuple(Option(str(i), text) for i in range(max(2, round(count))))
    return Field(
        name, "Which occupational task does the assistant perform in the conversation?", "choice", options
    )


def _measure(
    stage: str,
    fields: tuple[Field, ...],
    share: float,
    conversations: Sequence[Conversation],
    on_summary: bool,
    price: Price | None,
    prefixes: int,
) -> _Step:
    summary = "word " * SUMMARY_TOKENS if on_summary else None
    chosen = conversations[:1] if on_summary else conversations
    rendered = [render(Request(stage, conversation, fields, summary)) for conversation in chosen]
    first: Rendered = rendered[0]
    static = estimate_tokens(first.static) + len(orjson.dumps(first.schema)) / 3.6
    varying = sum(estimate_tokens(entry.user) for entry in rendered) / len(rendered)
    output = _OUTPUT.get(first.prompt.name, _PLAIN_OUTPUT)
    return _Step(stage, static, varying, output, share, is_cacheable(first, price), prefixes)
