"""The earlier release that ``release_change`` compares with: found, refused, read."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from economic_index.errors import UserError
from economic_index.release.earlier import SCHEMA, earlier_id, earlier_values

RELEASE = "0123456789abcdef"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A published release with two tasks, one of them withheld, and a pattern."""
    monkeypatch.setenv("ECONOMIC_INDEX_RELEASES", str(tmp_path))
    made = tmp_path / RELEASE
    made.mkdir()
    facts = {"taxonomy_release": "t1", "window_start": "2026-01-01", "window_end": "2026-02-01"}
    (made / "manifest.json").write_text(json.dumps({"release_id": RELEASE, "release": facts}))
    counts = "'published' as status, 30.0 as n_conversations, 30 as n_support_conversations, 5 as n_accounts_at_least"
    shares = "0.5 as {0}, 0.4 as {0}_lower, 0.6 as {0}_upper"
    tasks = shares.format("share_of_published_tasks")
    patterns = shares.format("share_of_classified_patterns")
    with duckdb.connect(str(made / "release.duckdb")) as connection:
        connection.execute(f"""
            create schema marts;
            create table marts.task_usage as select 7 as task_id, {counts}, {tasks}
                union all select 8, 'withheld', null, null, null, null, null, null;
            create table marts.occupation_usage as select 'unattributed' as onet_soc_code, {counts}, {tasks}
                union all select '11-1011.00', 'published', 30, 30, 5, 0.5, 0.4, 0.6;
            create table marts.occupation_category_usage as select '11' as soc_major_code, {counts}, {tasks};
            create table marts.collaboration_usage as
                select 'directive' as collaboration_pattern, 'automation' as pattern_group, {counts}, {patterns}
                union all select 'none', 'none', 'published', 15, 15, 5, null, null, null;
        """)
    return made


def test_released_values_are_read_and_rests_are_left_out(folder: Path) -> None:
    table = earlier_values(RELEASE)
    assert table.schema == SCHEMA
    rows = {(row["family"], row["unit"]): row for row in table.to_pylist()}
    assert set(rows) == {
        ("task", "7"),
        ("task", "8"),
        ("occupation", "11-1011.00"),
        ("soc_major_group", "11"),
        ("collaboration_pattern", "directive"),
    }
    assert rows["task", "7"]["share_of_base"] == 0.5 and rows["task", "7"]["window_end"] == "2026-02-01"
    assert rows["task", "8"]["status"] == "withheld" and rows["task", "8"]["n_conversations"] is None
    assert earlier_id(RELEASE) == RELEASE and earlier_id(str(folder)) == RELEASE, "an id or a folder"


@pytest.mark.parametrize("unset", [None, "", "None", "null"])
def test_unset_is_no_row(unset: str | None) -> None:
    assert earlier_values(unset).num_rows == 0 and earlier_values(unset).schema == SCHEMA
    assert earlier_id(unset) == "none"


def test_what_is_not_a_release_is_refused_in_one_sentence(folder: Path) -> None:
    (folder.parent / "latest").symlink_to(RELEASE)
    with pytest.raises(UserError, match="another release after every publication"):
        earlier_id("latest")
    with pytest.raises(UserError, match="no published release of that id"):
        earlier_values("ffff")
    with duckdb.connect(str(folder / "release.duckdb")) as connection:
        connection.execute("drop table marts.collaboration_usage")
    with pytest.raises(UserError, match="lacks the tables"):
        earlier_values(RELEASE)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match="manifest"):
        earlier_id(RELEASE)
