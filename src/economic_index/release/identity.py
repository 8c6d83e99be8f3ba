"""The identity of a release: what it was made of, as one short keyed hash."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pyarrow as pa

from economic_index import __version__
from economic_index.keys import keyed_digest, load_key
from economic_index.release.earlier import earlier_id

RUN_SCHEMA = pa.schema(
    [
        ("release_id", pa.string()),
        ("project_version", pa.string()),
        ("taxonomy_release", pa.string()),
        ("soc_vintage", pa.string()),
        ("taxonomy_hash", pa.string()),
        ("is_sample_taxonomy", pa.bool_()),
        ("privacy_policy", pa.string()),
        ("privacy_policy_hash", pa.string()),
        ("engine", pa.string()),
        ("engine_identity", pa.string()),
        ("strategy", pa.string()),
        ("max_tasks", pa.string()),
        ("taxonomy_engine", pa.string()),
        ("previous_release", pa.string()),
        ("window_start", pa.string()),
        ("window_end", pa.string()),
        ("population", pa.string()),
        ("sample_n", pa.string()),
        ("window_status", pa.string()),
        ("is_test_accounts", pa.bool_()),
    ]
)


def short_hash(value: Any, length: int = 16) -> str:
    """First ``length`` hex digits of the SHA-256 of the canonical JSON of ``value``."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return sha256(text.encode()).hexdigest()[:length]


def as_mapping(value: Any) -> dict[str, Any]:
    """A dbt variable that holds a mapping: dbt hands it over as one, or as its text."""
    if isinstance(value, str):
        value = ast.literal_eval(value) if value not in ("", "None") else None
    return dict(value or {})


def text_or_open(value: Any) -> str:
    """Text of a variable that may be unset: ``all`` where it is."""
    return "all" if value in (None, "", "None", [], {}) else str(value)


def identify(
    inputs: Mapping[str, Any], run: Mapping[str, Any], engine_identity: Mapping[str, str]
) -> dict[str, Any]:
    """The one row of ``wall_public_run``.

    ``release_id`` is keyed with the rounding key: without it nobody can test a guess about a single conversation by
    computing the id again.

    Args:
        inputs: the row of ``wall_run_inputs``.
        run: variables of the run (engine, strategy, max_tasks, taxonomy_engine, previous_release, window,
            population, sample_n).
        engine_identity: what the engine says about itself (models, prompts or artefact hashes).
    """
    window, population = as_mapping(run.get("window")), as_mapping(run.get("population"))
    parts = {name: values for name, values in sorted(population.items()) if values}
    shown = {
        "project_version": __version__,
        "taxonomy_release": str(inputs["taxonomy_release"]),
        "soc_vintage": str(inputs["soc_vintage"]),
        "taxonomy_hash": short_hash(inputs["taxonomy_hash"]),
        "is_sample_taxonomy": bool(inputs["is_sample_taxonomy"]),
        "privacy_policy": str(inputs["privacy_policy"]),
        "privacy_policy_hash": short_hash(inputs["privacy_policy_text"]),
        "engine": str(run["engine"]),
        "engine_identity": short_hash(dict(engine_identity)),
        "strategy": str(run["strategy"]),
        "max_tasks": str(run.get("max_tasks") or 1),
        "taxonomy_engine": str(run.get("taxonomy_engine") or "local"),
        "previous_release": earlier_id(run.get("previous_release")),
        "window_start": text_or_open(window.get("start")),
        "window_end": text_or_open(window.get("end")),
        # Names of products and organisations are the user's own words: a release only says that there was a choice.
        # The sample is a population of its own: a release of it stands in nobody's way (release.ledger).
        "population": "sample"
        if inputs["is_sample_input"]
        else f"chosen:{short_hash(parts, 8)}"
        if parts
        else "all",
        "sample_n": text_or_open(run.get("sample_n")),
        "window_status": str(inputs["window_status"]),
        "is_test_accounts": bool(inputs["is_test_accounts"]),
    }
    hidden = {name: str(inputs[name]) for name in ("input_digest", "fact_digest", "label_digest")}
    digest = keyed_digest(load_key("rounding"), "release", json.dumps({**shown, **hidden}, sort_keys=True))
    return {"release_id": digest.hex()[:16], **shown}


def run_table(inputs: pa.Table, run: Mapping[str, Any], engine_identity: Mapping[str, str]) -> pa.Table:
    """``identify`` from a one-row Arrow table to a one-row Arrow table with ``RUN_SCHEMA``."""
    row = identify(inputs.to_pylist()[0], run, engine_identity)
    return pa.Table.from_pylist([row], schema=RUN_SCHEMA)
