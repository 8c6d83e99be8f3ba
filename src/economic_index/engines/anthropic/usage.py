"""What a run used, as a table: the private ``run_usage``."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from economic_index.engines.anthropic.money import StageUsage

SCHEMA = pa.schema(
    [
        pa.field("stage", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("mode", pa.string(), nullable=False),
        pa.field("n_questions", pa.int64(), nullable=False),
        pa.field("n_calls", pa.int64(), nullable=False),
        pa.field("n_retries", pa.int64(), nullable=False),
        pa.field("n_ok", pa.int64(), nullable=False),
        pa.field("n_invalid", pa.int64(), nullable=False),
        pa.field("n_refused", pa.int64(), nullable=False),
        pa.field("n_failed", pa.int64(), nullable=False),
        pa.field("n_stopped_by_budget", pa.int64(), nullable=False),
        pa.field("n_cut_conversations", pa.int64(), nullable=False),
        pa.field("input_tokens", pa.int64(), nullable=False),
        pa.field("cache_read_tokens", pa.int64(), nullable=False),
        pa.field("cache_write_tokens", pa.int64(), nullable=False),
        pa.field("output_tokens", pa.int64(), nullable=False),
        pa.field("cost_usd", pa.float64(), nullable=False),
    ]
)


def usage_table(stages: Mapping[str, StageUsage]) -> pa.Table:
    """One row per stage of this run, of ``SCHEMA``; no row when nothing was asked.

    Grain: stage. Costs are in US dollars after the price table; questions that the ledger answered are not in
    it.
    """
    rows = [
        {
            "stage": name,
            "model": used.model,
            "mode": used.mode,
            "n_questions": used.questions,
            "n_calls": used.calls,
            "n_retries": used.retries,
            "n_ok": used.statuses["ok"],
            "n_invalid": used.statuses["invalid"],
            "n_refused": used.statuses["refused"],
            "n_failed": used.statuses["failed"],
            "n_stopped_by_budget": used.reasons["budget"],
            "n_cut_conversations": used.cut,
            "input_tokens": used.input_tokens,
            "cache_read_tokens": used.cache_read_tokens,
            "cache_write_tokens": used.cache_write_tokens,
            "output_tokens": used.output_tokens,
            "cost_usd": used.cost_usd,
        }
        for name, used in sorted(stages.items())
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)
