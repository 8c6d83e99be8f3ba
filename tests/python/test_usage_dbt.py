"""One budget and one record for a whole dbt command: hierarchy and labels by the fake server, then without a key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from anthropic_helpers import serving
from dbt_project import REPO, run_dbt

from economic_index.engines.usage import UsageStore

pytestmark = pytest.mark.slow

VARIABLES = "engine: anthropic, taxonomy_engine: anthropic, strategy: compact, max_tasks: 3"
CONVERSATIONS = 30


def build(work: Path, command: str) -> None:
    """Hierarchy, labels, usage and its public door of thirty conversations, under limits that do not bind."""
    talks = work / "talks.parquet"
    if not talks.exists():
        sample = REPO / "sample" / "conversations.parquet"
        chosen = f"select * from '{sample}' order by md5(conversation_id) limit {CONVERSATIONS}"
        duckdb.sql(f"copy ({chosen}) to '{talks}'")
    only_models = ["--exclude-resource-type", "test", "unit_test"] if command == "build" else []
    variables = f"{{{VARIABLES}, conversations: '{talks}', max_calls: 5000}}"
    done = run_dbt(work, command, "--select", "+wall_public_usage", *only_models, "--vars", variables)
    assert done.returncode == 0, done.stdout[-3000:]


def rows(work: Path, table: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(work / "warehouse" / "private.duckdb"), read_only=True) as link:
        return link.execute(f"select * from {table} order by all").to_arrow_table().to_pylist()


def test_one_budget_one_record_and_no_key_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch) as server:
        build(tmp_path, "build")
        stats = server.stats
    usage, door = rows(tmp_path, "labels.run_usage"), rows(tmp_path, "wall.wall_public_usage")
    stages = {row["stage"] for row in usage}
    assert {"compact", "top", "base", "taxonomy_propose", "taxonomy_assign"} <= stages
    assert sum(row["n_calls"] for row in usage) == stats.calls == sum(row["n_answers"] for row in usage)
    assert sum(row["output_tokens"] for row in usage) == stats.output_tokens
    with UsageStore(tmp_path / "warehouse" / "usage.sqlite") as store:
        runs = store._rows("select run_id, n_calls from runs")
    assert [calls for _, calls in runs] == [stats.calls], "both models draw on the budget of one dbt command"
    assert not runs[0][0].startswith("process-"), "and it is dbt that names it"
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    build(tmp_path, "run")
    assert rows(tmp_path, "labels.run_usage") == usage and rows(tmp_path, "wall.wall_public_usage") == door
    (shown,) = door
    for name in ("usage_calls", "usage_input_tokens", "usage_output_tokens"):
        assert int(shown[name]) > 0 and len(shown[name].rstrip("0")) <= 2
    assert float(shown["usage_cost_usd"]) == pytest.approx(
        sum(row["answer_cost_usd"] for row in usage), rel=0.05
    )
    labels = rows(tmp_path, "labels.conversation_answers")
    assert "ok" in {row["status"] for row in labels if row["facet"] == "task"}
    wanted = {row["conversation_id"] for row in rows(tmp_path, "facts.conversations_to_label")}
    assert {row["conversation_id"] for row in labels} == wanted and len(wanted) > 20
