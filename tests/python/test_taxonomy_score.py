"""The score: 1 for the official grouping itself, about 0 for a random tree."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from economic_index.errors import UserError
from economic_index.taxonomy.build import SCHEMA, build_hierarchy
from economic_index.taxonomy.install import Sources, install_release
from economic_index.taxonomy.releases import read_links, read_tasks
from economic_index.taxonomy.score import Link, score_hierarchy

THINGS = ["bread", "bridges", "letters", "songs", "engines", "gardens", "teeth", "laws", "maps", "wine"]


@pytest.fixture(autouse=True)
def own_warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECONOMIC_INDEX_WAREHOUSE", str(tmp_path / "warehouse"))
    monkeypatch.setenv("ECONOMIC_INDEX_THREADS", "1")


def tree() -> tuple[pa.Table, list[Link], dict[int, str]]:
    rows, links, texts = [], [], {}
    for task in range(100):
        thing = task % 10
        texts[task] = f"Make {THINGS[thing]} number {task}."
        rows.append(
            {"level": 3, "level_name": "base", "node_id": f"base-{task}", "parent_node_id": f"m{thing}",
             "top_node_id": f"t{thing % 3}", "name": texts[task], "task_id": task, "n_tasks": 1}
        )  # fmt: skip
        links.append(Link(task, f"d{thing}", f"i{thing}", f"g{thing % 3}"))
    return pa.Table.from_pylist(rows, schema=SCHEMA), links, texts


def test_the_official_grouping_scores_one_and_a_random_tree_zero() -> None:
    scores = {(score.level, score.grouping): score for score in score_hierarchy(*tree())}
    assert scores["middle", "DWA"].hierarchy == pytest.approx(1.0)
    assert scores["top", "GWA"].hierarchy == pytest.approx(1.0)
    assert abs(scores["middle", "DWA"].random_tree) < 0.15
    assert 0.3 < scores["middle", "DWA"].kmeans <= 1.0
    assert scores["middle", "IWA"].n_nodes == 10
    assert scores["top", "GWA"].n_groups == 3


def test_links_of_other_tasks_are_left_out_and_none_is_an_error() -> None:
    table, links, texts = tree()
    (score, *_) = score_hierarchy(table, [*links, Link(9999, "x", "x", "x")], texts)
    assert score.n_links == 100
    with pytest.raises(UserError, match="nothing to score"):
        score_hierarchy(table, [Link(9999, "x", "x", "x")], texts)


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


def test_tasks_are_read_with_the_rules_of_the_models(tmp_path: Path) -> None:
    write(tmp_path, "onet_occupations.csv", "onet_soc_code,title,description\n11-1011.00,A,\n15-1252.00,B,\n")
    write(
        tmp_path,
        "onet_task_statements.csv",
        "onet_soc_code,task_id,task\n"
        "15-1252.00,30,Write reports.\n"
        "11-1011.00,12,Write  Reports. \n"
        "11-1011.00,13,\n"
        "99-9999.00,1,Write reports.\n",
    )
    write(tmp_path, "onet_dwa_reference.csv", "element_id,iwa_id,dwa_id,dwa_title\ng,i,d,Write.\n")
    write(
        tmp_path,
        "onet_tasks_to_dwas.csv",
        "onet_soc_code,task_id,dwa_id\n15-1252.00,30,d\n11-1011.00,12,d\n99-9999.00,1,d\n11-1011.00,12,unknown\n",
    )
    ((task_id, text, key),) = read_tasks(tmp_path)
    assert (task_id, text) == (12, "Write Reports.")
    assert key == hashlib.md5(b"write reports.").hexdigest()
    assert read_links(tmp_path) == [Link(12, "d", "i", "g")]


def test_a_folder_without_seeds_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ECONOMIC_INDEX_TAXONOMY must name"):
        read_tasks(tmp_path)


@pytest.mark.data
@pytest.mark.proof
def test_hierarchy_of_a_part_of_29_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = os.environ.get("ECONOMIC_INDEX_DATA")
    data = Path(given) if given else Path(__file__).parents[3] / "shared" / "data"
    if not (data / "onet" / "29.1").is_dir():
        pytest.skip("the official O*NET 29.1 files are not beside the checkout (ECONOMIC_INDEX_DATA)")
    monkeypatch.setenv("ECONOMIC_INDEX_PROJECT", str(tmp_path / "project"))
    monkeypatch.delenv("ECONOMIC_INDEX_THREADS")
    (tmp_path / "project").mkdir()
    wages = data / "bls" / "oews_national_may_2023.csv"
    folder = install_release("29.1", Sources(from_dir=data / "onet" / "29.1", oews=wages)).folder
    tasks = read_tasks(folder)[::4]  # every fourth task: the whole list takes minutes on a busy machine
    table = build_hierarchy(tasks)
    rows = table.to_pylist()
    assert Counter(row["level"] for row in rows) == {1: 12, 2: 229, 3: 4384}
    named = [row["name"] for row in rows if row["level"] < 3]
    assert all(2 <= len(name.split()) <= 12 for name in named)
    assert not [
        name for name in named if name.split()[-1].lower() in {"and", "or", "of", "to", "the", "with"}
    ]
    scores = score_hierarchy(table, read_links(folder), {task_id: text for task_id, text, _ in tasks})
    for score in scores:
        assert abs(score.random_tree) < 0.02
        assert score.hierarchy > 0.85 * score.kmeans
    assert scores[0].hierarchy > 0.15
    assert scores[1].hierarchy > 0.2
