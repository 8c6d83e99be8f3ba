"""People read a sample: the draw, the page, the sheet, the scores."""

from __future__ import annotations

import csv
import io
import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from economic_index.errors import UserError
from economic_index.validation.study import (
    ITEMS,
    SCRIPT,
    Reading,
    Verdicts,
    allocate,
    as_page,
    as_sheet,
    draw,
    read_answers,
    readings_table,
    sample,
    score,
    store,
    write_private,
)

KEY = b"k" * 32
LABELS = {
    "top": "Do office work",
    "middle": "Write",
    "task": "Write letters.",
    "collaboration_pattern": "directive",
}


@given(
    st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 500), min_size=1, max_size=22),
    st.integers(1, 900),
)
def test_allocation_is_proportional_and_complete(sizes: dict[str, int], n: int) -> None:
    given_ = allocate(sizes, n)
    total = sum(sizes.values())
    assert sum(given_.values()) == min(n, total)
    for name, size in sizes.items():
        assert given_[name] <= size
        assert abs(given_[name] - min(n, total) * size / total) < 1


def test_the_draw_is_keyed_and_stratified() -> None:
    rows = [(f"c{i}", "15" if i % 4 else "27") for i in range(400)]
    first = draw(rows, 40, KEY)
    assert first == draw(list(reversed(rows)), 40, KEY) and first != draw(rows, 40, b"other" * 8)
    assert len(set(first)) == 40
    assert sum(int(name[1:]) % 4 == 0 for name in first) == 10


def test_a_hostile_conversation_cannot_leave_the_page() -> None:
    hostile = '</pre><script>alert(1)</script><img src=x onerror=alert(2)> " onclick="x'
    page = as_page([Reading(1, {**LABELS, "task": "<b>bold</b>"}, [("user", hostile), ("assistant", "ok")])])
    tags: list[tuple[str, dict[str, str | None]]] = []

    class Collect(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append((tag, dict(attrs)))

    Collect().feed(page)
    assert [tag for tag, _ in tags].count("script") == 1
    assert not [tag for tag, attrs in tags if tag == "img" or any(name.startswith("on") for name in attrs)]
    policy = next(attrs["content"] for tag, attrs in tags if tag == "meta" and "content" in attrs)
    assert policy is not None and "default-src 'none'" in policy and "sha256-" in policy
    assert "http" not in re.sub(r"http-equiv", "", page) and SCRIPT in page


def test_the_page_asks_every_item_once() -> None:
    page = as_page([Reading(n, LABELS, [("user", "hi")]) for n in (1, 2)])
    for number in (1, 2):
        for item in ITEMS:
            assert page.count(f'name="{number}.{item}"') == 3


def test_the_sheet_holds_no_formula_and_reads_back(tmp_path: Path) -> None:
    text = as_sheet([Reading(1, {**LABELS, "task": "=cmd()"}, [("user", "line 1\nline, 2")])])
    row = next(csv.DictReader(io.StringIO(text)))
    assert row["task"] == "'=cmd()" and row["conversation"] == "[user] line 1\nline, 2"
    row |= {"verdict_task": "No", "verdict_top": " Acceptable "}
    path = tmp_path / "filled.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    assert read_answers(path) == {(1, "task"): "not_acceptable", (1, "top"): "acceptable"}


def answers(n: int, wrong: set[int], item: str = "task", unsure: set[int] | None = None) -> Verdicts:
    return {
        (i, item): "unsure" if i in (unsure or set()) else "not_acceptable" if i in wrong else "acceptable"
        for i in range(1, n + 1)
    }


def test_scores_of_the_papers_size() -> None:
    """Appendix C: 150 examples, 129 acceptable at the base level, 86 %."""
    (row,) = score([answers(150, set(range(1, 22)))])
    assert (row["n_readings"], row["acceptable_percent"]) == (150, 86)
    assert (row["acceptable_percent_lower"], row["acceptable_percent_upper"]) == (80, 91)
    assert row["agreement_percent"] is None


def test_unsure_is_no_decision_and_a_second_reader_fills_in() -> None:
    first, second = answers(20, {1, 2}, unsure={3, 4}), answers(10, {1, 3})
    (row,) = score([first, second])
    assert row["n_readings"] == 20 and row["n_read_twice"] == 8
    assert row["agreement_percent"] == 88 and 0 < row["agreement_kappa"] < 1
    assert row["acceptable_percent"] == 85, "rows 1, 2 and 3 are wrong, 3 by the second reader"


def test_answers_are_kept_private_and_scored_by_the_model(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "readings.csv"
    assert readings_table(path).num_rows == 0
    store([answers(120, {1, 2}), answers(110, {2})], path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (row,) = readings_table(path).to_pylist()
    assert (row["item"], row["n_readings"], row["n_read_twice"], row["acceptable_percent"]) == (
        "task",
        120,
        110,
        98,
    )


@pytest.mark.parametrize(
    "text",
    ["a,b\n1,2\n", "number,item,verdict\n1,task,perhaps\n", "number,item,verdict\n1,dance,acceptable\n"],
)
def test_strange_answers_are_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="verdict"):
        read_answers(path)


def test_a_sample_from_the_private_database(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dbt build"):
        sample(tmp_path / "none.duckdb", 5, KEY)
    database = tmp_path / "private.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("""
            create schema facts; create schema reference;
            create table facts.fct_conversations as select 'c' || i as conversation_id, i % 3 as task_id,
                'directive' as collaboration_pattern, if(i % 5 = 0, 'none', 'classified') as outcome from
                range(90) t(i);
            create table facts.conversations_to_label as select 'c' || i as conversation_id,
                [{'role': 'user', 'content': 'hello ' || i}] as messages from range(90) t(i);
            create table reference.tasks as select i as task_id, 'Task ' || i as task from range(3) t(i);
            create table reference.task_occupations as select i as task_id, '1' || i as soc_major_code from
            range(3) t(i);
            create table reference.task_paths as select i as task_id, 'n1' as top_node_id, 'n2' as
            middle_node_id
                from range(3) t(i);
            create table reference.task_hierarchy as select 'top' as level_name, 'n1' as node_id, 'Top' as
            name
                union all select 'middle', 'n2', 'Middle';
        """)
    readings = sample(database, 12, KEY)
    assert [reading.number for reading in readings] == list(range(1, 13))
    assert readings[0].labels["top"] == "Top" and readings[0].turns[0][1].startswith("hello ")
    page = as_page(readings)
    assert not re.search(r">c\d+<", page), "no ids"
    write_private(tmp_path / "page.html", page)
    assert stat.S_IMODE((tmp_path / "page.html").stat().st_mode) == 0o600
