"""The SQL from what was read to what is labelled: each row has one outcome, in the order of the law.

The models are rendered with stand-ins for ``ref`` and ``var`` and run on DuckDB, which takes milliseconds;
the build of the whole project runs them under dbt.
"""

from __future__ import annotations

import datetime
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sources_cases import ASSISTANT, USER, good, write_jsonl

from economic_index.sources.pseudonyms import Pseudonyms
from economic_index.sources.reader import stream

PROJECT = Path(__file__).parents[2]
DEFAULTS: dict[str, Any] = {"window": {"start": None, "end": None}, "sample_n": None, "safety_filter": True}


def render(name: str, variables: dict[str, Any]) -> str:
    def var(key: str, default: object = None) -> object:
        return variables.get(key, default)

    loader = jinja2.Environment(loader=jinja2.FileSystemLoader(PROJECT), extensions=["jinja2.ext.do"])
    # dbt shows templates five names of the module, and timezone is not one of them.
    names = ("date", "datetime", "time", "timedelta", "tzinfo")
    shown = SimpleNamespace(**{name: getattr(datetime, name) for name in names})
    loader.globals.update(modules=SimpleNamespace(datetime=shown), execute=True)
    macro = loader.get_template("macros/compat/utc_timestamp.sql").module.utc_timestamp  # type: ignore[attr-defined]
    template = loader.get_template(f"models/facts/{name}.sql")
    return template.render(ref=lambda model: model, var=var, config=lambda **_: "", utc_timestamp=macro)


def build(path: Path, **variables: Any) -> duckdb.DuckDBPyConnection:
    """The four tables of the intake over the rows of a file."""
    connection = duckdb.connect()
    batches = list(stream([path], Pseudonyms(b"k" * 32), b"s" * 32))
    read = pa.Table.from_batches(batches)
    connection.register("read_rows", read)
    connection.execute("create table stg_conversations__read as select * from read_rows")
    for name in ("conversation_intake", "quarantined_conversations", "conversations_to_label"):
        connection.execute(f"create table {name} as {render(name, {**DEFAULTS, **variables})}")
    return connection


def outcomes(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str | None]]:
    rows = connection.sql("select intake_outcome, intake_reason from conversation_intake order by input_row")
    return rows.fetchall()


TALK = [{"role": "user", "content": "Something else entirely."}]


def test_each_outcome_in_its_order(tmp_path: Path) -> None:
    rows = [
        good(conversation_id="a"),
        good(conversation_id="b"),
        good(conversation_id="a", messages=TALK),
        good(conversation_id="c", safety_flagged=True, messages=TALK),
        good(conversation_id="d", safety_flagged=True),
        good(conversation_id="e", account_id="somebody else"),
        good(conversation_id="f", account_id=None),
        good(conversation_id="g", account_id=" "),
        good(conversation_id="h", messages=[]),
        good(conversation_id="h", messages=[USER]),
        good(conversation_id="i", messages=[ASSISTANT, USER]),
    ]
    connection = build(write_jsonl(tmp_path / "in.jsonl", rows))
    assert outcomes(connection) == [
        ("to_label", None),
        ("duplicate", "same_account_same_messages"),
        ("quarantined", "duplicate_id"),
        ("safety_filtered", "flagged_in_source"),
        ("duplicate", "same_account_same_messages"),
        ("to_label", None),
        ("to_label", None),
        ("duplicate", "same_account_same_messages"),
        ("quarantined", "no_messages"),
        ("to_label", None),
        ("to_label", None),
    ]
    quarantined = connection.sql("select * from quarantined_conversations order by input_row").fetchall()
    assert quarantined == [(3, "in.jsonl", "a", "duplicate_id"), (9, "in.jsonl", "h", "no_messages")]
    to_label = connection.sql(
        "select conversation_id, len(messages) from conversations_to_label order by 1"
    ).fetchall()
    assert to_label == [("a", 2), ("e", 2), ("f", 2), ("h", 1), ("i", 2)]


def test_the_earliest_of_the_same_stays(tmp_path: Path) -> None:
    days = [3, 1, 2]
    rows = [good(conversation_id=f"c{d}", started_at=f"2025-03-0{d}") for d in days]
    connection = build(write_jsonl(tmp_path / "in.jsonl", rows))
    assert [outcome for outcome, _ in outcomes(connection)] == ["duplicate", "to_label", "duplicate"]


def test_the_safety_filter_can_be_switched_off(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "in.jsonl", [good(safety_flagged=True)])
    assert outcomes(build(path)) == [("safety_filtered", "flagged_in_source")]
    assert outcomes(build(path, safety_filter=False)) == [("to_label", None)]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, ["before", "first", "last", "end", "timeless"]),
        ("2025-02-01", "2025-03-01", ["first", "last", "timeless"]),
        ("2025-02-01", None, ["first", "last", "end", "timeless"]),
        (None, "2025-02-01T00:00:00.000001", ["before", "first", "timeless"]),
        ("2025-03-01T02:00:00+02:00", None, ["end", "timeless"]),
    ],
)
def test_the_window_is_half_open_and_utc(
    tmp_path: Path, start: str | None, end: str | None, expected: list[str]
) -> None:
    times = {
        "before": "2025-01-31T23:59:59.999999Z",
        "first": "2025-02-01T00:00:00Z",
        "last": "2025-02-28T23:59:59.999999Z",
        "end": "2025-03-01T01:00:00+01:00",
        "timeless": "no date",
    }
    rows = [good(conversation_id=k, started_at=v, account_id=k) for k, v in times.items()]
    connection = build(write_jsonl(tmp_path / "in.jsonl", rows), window={"start": start, "end": end})
    found = connection.sql("select conversation_id from conversation_intake order by input_row").fetchall()
    assert [name for (name,) in found] == expected


def test_a_repeat_of_a_row_outside_the_window_is_none(tmp_path: Path) -> None:
    rows = [good(started_at="2025-01-01"), good(started_at="2025-02-01")]
    path = write_jsonl(tmp_path / "in.jsonl", rows)
    assert outcomes(build(path, window={"start": "2025-02-01"})) == [("to_label", None)]


def test_the_draw_has_its_size_and_grows_by_inclusion(tmp_path: Path) -> None:
    rows = [good(conversation_id=f"c-{i}", account_id=i) for i in range(200)]
    rows += [good(conversation_id=f"c-{i}", account_id=i) for i in range(50)]
    path = write_jsonl(tmp_path / "in.jsonl", rows)
    drawn = []
    for n in (10, 60, 1_000):
        connection = build(path, sample_n=n)
        names = connection.sql("select distinct conversation_id from conversation_intake").fetchall()
        drawn.append({name for (name,) in names})
        assert len(drawn[-1]) == min(n, 200)
        in_both = sum(int(name[2:]) < 50 for name in drawn[-1])
        assert Counter(outcome for outcome, _ in outcomes(connection))["quarantined"] == in_both
    assert drawn[0] < drawn[1] < drawn[2]
    first_ten = {f"c-{i}" for i in range(10)}
    assert drawn[0] != first_ten, "the draw is not the order of the file"


def test_no_text_below_staging_but_in_the_one_view(tmp_path: Path) -> None:
    connection = build(write_jsonl(tmp_path / "in.jsonl", [good()]))
    for name in ("conversation_intake", "quarantined_conversations"):
        columns = [row[0] for row in connection.sql(f"describe {name}").fetchall()]
        assert "messages" not in columns
        assert USER["content"] not in repr(connection.sql(f"select * from {name}").fetchall())


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "conversation_id": st.sampled_from(["a", "b", "c", "d", None]),
            "account_id": st.sampled_from(["x", "y", None]),
            "started_at": st.sampled_from(["2025-01-01", "2025-01-02", "soon"]),
            "messages": st.sampled_from([[USER], TALK, [ASSISTANT], None]),
            "safety_flagged": st.sampled_from([True, False, None, "perhaps"]),
        }
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_conservation(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    connection = build(write_jsonl(tmp_path / "in.jsonl", [good(conversation_id="z", account_id="z"), *rows]))
    found = outcomes(connection)
    assert len(found) == 1 + len(rows)
    counts = Counter(outcome for outcome, _ in found)
    assert set(counts) <= {"quarantined", "duplicate", "safety_filtered", "to_label"}
    assert all((outcome == "to_label") == (reason is None) for outcome, reason in found)
    labelled = connection.sql("select conversation_id from conversations_to_label").fetchall()
    assert len(labelled) == len(set(labelled)) == counts["to_label"]
    # Independent recount: of the admitted, the first row of an id; of those, one per account and content.
    admitted = connection.sql(
        "select distinct on (conversation_id) conversation_id, account_key, content_hash "
        "from stg_conversations__read where quarantine_reason is null order by input_row"
    ).fetchall()
    assert counts["safety_filtered"] + counts["to_label"] == len({row[1:] for row in admitted})
