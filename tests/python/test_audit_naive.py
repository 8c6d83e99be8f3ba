"""What naive suppression gives away of the same data, beside what the wall gives away."""

from __future__ import annotations

import duckdb
import pytest
from released import reference_of, small_release

from economic_index.disclosure.audit import audit_path
from economic_index.disclosure.audit.naive import naive_figures, naive_of_private
from economic_index.errors import UserError


def test_the_wall_beats_naive_suppression_of_the_same_conversations() -> None:
    built = small_release()
    naive = naive_of_private(built.private, reference_of(built))
    assert naive["task x pattern"]["n_narrow"] > 5
    assert naive["task"]["n_exact"] > 20
    walled = audit_path(built.candidate, reference_of(built)).figures["linkage"]["families"]
    assert sum(f["n_exact"] + f["n_narrow"] + f["n_proven_present"] for f in walled.values()) == 0


def test_a_single_hidden_cell_is_exact_and_two_are_not() -> None:
    connection = duckdb.connect()
    connection.execute(
        "create table ref_holders as select 1::bigint as task_id, '11-1011.00' as onet_soc_code, 1 as "
        "n_holders"
    )
    patterns = ["directive", "feedback_loop", "task_iteration", "learning", "validation", "none"]
    rows = [(f"a{i}", p) for p in patterns[:5] for i in range(20)] + [(f"a{i}", "none") for i in range(3)]
    connection.execute(
        "create table facts (account varchar, task_id bigint, collaboration_pattern varchar, "
        "soc_major_code varchar, model varchar)"
    )
    connection.executemany("insert into facts values (?, 1, ?, '11', 'm')", rows)
    found = naive_figures(connection)
    assert found["task x pattern"] == {"n_withheld": 1, "n_exact": 1, "n_narrow": 1, "n_proven_present": 1}
    connection.execute("delete from facts where collaboration_pattern = 'validation' and account > 'a13'")
    found = naive_figures(connection)
    assert found["task x pattern"]["n_withheld"] == 2 and found["task x pattern"]["n_exact"] == 0


def test_no_private_database_is_one_sentence(tmp_path: object) -> None:
    with pytest.raises(UserError, match="needs the conversations of a build"):
        naive_of_private(tmp_path / "none.duckdb", reference_of(small_release()))  # type: ignore[operator]
