"""The auditor on a real release, and on the same release with one leak planted at a time."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from released import reference_of, small_release, tampered

from economic_index.disclosure.audit import FINDINGS_SCHEMA, AuditReport, audit_everything, audit_path
from economic_index.disclosure.audit.catalogue import MARTS
from economic_index.disclosure.audit.findings import Collector, findings_table
from economic_index.errors import UserError

FIRST_TASK = "(select min(task_id) from task_usage where status = 'published')"
WITHHELD_TASK = "(select min(task_id) from task_usage where status = 'withheld')"
OCCUPATION = "(select min(onet_soc_code) from wage_usage where status = 'published')"
WITH_RESIDUAL = "(select min(onet_soc_code) from occupation_usage where n_conversations_residual is not null)"

# name: (statements, the check that must find it, the table it must name)
PLANTED: dict[str, tuple[tuple[str, ...], str, str]] = {
    "count below the floor": (
        (
            f"update task_usage set n_conversations = 10, n_support_conversations = 10 where task_id = "
            f"{FIRST_TASK}",
        ),
        "floors",
        "task_usage",
    ),
    "fourteen conversations": (
        (
            "update skill_usage set n_conversations = 14, n_support_conversations = 14 where skill = "
            "'writing'",
        ),
        "floors",
        "skill_usage",
    ),
    "four accounts": (
        (f"update task_usage set n_accounts_at_least = 4 where task_id = {FIRST_TASK}",),
        "floors",
        "task_usage",
    ),
    "exact accounts": (
        ("update outcome_totals set n_accounts_at_least = 37 where outcome = 'classified'",),
        "floors",
        "outcome_totals",
    ),
    "unrounded count": (
        (
            "update skill_usage set n_conversations = n_conversations + 2, n_support_conversations = "
            "n_support_conversations + 2 "
            "where skill = 'writing'",
        ),
        "floors",
        "skill_usage",
    ),
    "value beside withheld": (
        (f"update task_usage set share_of_published_tasks = 0.001 where task_id = {WITHHELD_TASK}",),
        "floors",
        "task_usage",
    ),
    "count beside withheld": (
        (f"update task_usage set n_conversations = 3 where task_id = {WITHHELD_TASK}",),
        "floors",
        "task_usage",
    ),
    "published without accounts": (
        (f"update task_usage set n_accounts_at_least = null where task_id = {FIRST_TASK}",),
        "floors",
        "task_usage",
    ),
    "no status": (
        (f"update task_usage set status = null where task_id = {WITHHELD_TASK}",),
        "floors",
        "task_usage",
    ),
    "status primary": (
        (f"update task_usage set status = 'primary' where task_id = {WITHHELD_TASK}",),
        "vocabulary",
        "task_usage",
    ),
    "not a number": (
        (f"update task_usage set share_of_published_tasks = 'nan' where task_id = {FIRST_TASK}",),
        "floors",
        "task_usage",
    ),
    "residual below the floor": (
        (f"update occupation_usage set n_conversations_residual = 5 where onet_soc_code = {WITH_RESIDUAL}",),
        "floors",
        "occupation_usage",
    ),
    "extra text column": (("alter table task_usage add column example varchar",), "structure", "task_usage"),
    "extra number column": (
        ("alter table task_usage add column n_accounts bigint",),
        "structure",
        "task_usage",
    ),
    "list column": (("alter table task_usage add column ids bigint[]",), "structure", "task_usage"),
    "extra table": (("create table examples as select 1 as n",), "structure", "examples"),
    "table outside marts": (
        ("create schema facts", "create table facts.rows as select 1 as n"),
        "structure",
        "file",
    ),
    "view": (("create view peek as select * from task_usage",), "structure", "file"),
    "macro": (("create macro peek() as 1",), "structure", "file"),
    "missing table": (("drop table depth_of_use",), "structure", "depth_of_use"),
    "missing column": (("alter table task_usage drop column status",), "structure", "task_usage"),
    "repeated row": (
        ("insert into skill_usage select * from skill_usage limit 1",),
        "structure",
        "skill_usage",
    ),
    "two release ids": (
        ("update skill_usage set release_id = '0000000000000000' where skill = 'writing'",),
        "structure",
        "release_id",
    ),
    "free text": (
        (f"update task_usage set task = 'how do I tell my boss' where task_id = {FIRST_TASK}",),
        "vocabulary",
        "task_usage",
    ),
    "text of another task": (
        (
            f"update task_usage set task = (select task from task_usage order by task_id desc limit 1) "
            f"where task_id = {FIRST_TASK}",
        ),
        "vocabulary",
        "task_usage",
    ),
    "address in a node name": (
        ("update task_hierarchy_usage set node_name = 'ask jo@example.org' where node_id like 'top-%'",),
        "vocabulary",
        "task_hierarchy_usage",
    ),
    "free text in the manifest": (
        ("update release_manifest set value = 'made for Jo' where item = 'population'",),
        "vocabulary",
        "release_manifest",
    ),
    "roll-up from facts": (
        (
            f"update occupation_usage set n_conversations = n_conversations + 7, n_support_conversations = "
            f"n_support_conversations + 10 where onet_soc_code = {OCCUPATION}",
        ),
        "equations",
        "occupation_usage",
    ),
    "group from facts": (
        (
            "update occupation_category_usage set n_conversations = n_conversations + 5 where "
            "soc_major_code = '15'",
        ),
        "equations",
        "occupation_category_usage",
    ),
    "zone from facts": (
        ("update job_zone_usage set n_conversations = n_conversations + 1 where job_zone = '4'",),
        "equations",
        "job_zone_usage",
    ),
    "wage band from facts": (
        ("update wage_band_usage set n_conversations = n_conversations + 1 where wage_band = '4'",),
        "equations",
        "wage_band_usage",
    ),
    "node from facts": (
        (
            "update task_hierarchy_usage set n_conversations = n_conversations + 5, "
            "n_support_conversations = n_support_conversations + 5 "
            "where node_id = 'top-15'",
        ),
        "equations",
        "task_hierarchy_usage",
    ),
    "total from facts": (
        (
            "update outcome_totals set n_conversations = n_conversations + 5, n_support_conversations = "
            "n_support_conversations + 5 "
            "where outcome = 'classified'",
        ),
        "equations",
        "outcome_totals",
    ),
    "unrounded share": (
        ("update skill_usage set share_of_classified = share_of_classified + 1e-7 where skill = 'writing'",),
        "equations",
        "skill_usage",
    ),
    "interval from facts": (
        (
            "update skill_usage set share_of_classified_lower = share_of_classified_lower - 1e-6 where "
            "skill = 'writing'",
        ),
        "equations",
        "skill_usage",
    ),
    "depth from facts": (
        (
            "update depth_of_use set n_occupations_at_least = n_occupations_at_least + 1 where "
            "min_percent_of_tasks = 5",
        ),
        "equations",
        "depth_of_use",
    ),
    "correlation from facts": (
        ("update usage_by_unit set correlation_pearson = 0.123456 where correlation_pearson is not null",),
        "equations",
        "usage_by_unit",
    ),
    "open residual of a group": (
        (
            "update occupation_category_usage set n_conversations_residual = n_conversations_residual + 5 "
            "where soc_major_code = "
            "(select min(c.soc_major_code) from occupation_category_usage c where "
            "c.n_conversations_residual is not null "
            "and c.n_conversations_residual = (select sum(o.n_conversations_residual) from "
            "occupation_usage o where o.soc_major_code = c.soc_major_code))",
        ),
        "differences",
        "residual of a SOC group",
    ),
    "open rest by pattern": (
        (
            "update collaboration_usage set n_conversations = n_conversations + 3, n_support_conversations "
            "= n_support_conversations + 3 "
            "where collaboration_pattern = 'directive'",
        ),
        "differences",
        "rest by pattern",
    ),
}


def report_of(path: Path, **options: object) -> AuditReport:
    return audit_path(path, reference_of(small_release()), **options)


def test_a_release_of_the_wall_is_clean() -> None:
    report = report_of(small_release().candidate)
    assert report.findings == []
    assert report.is_clean and report.n_leaks == 0
    assert report.figures["n_cells_compared"] > 5000
    families = report.figures["linkage"]["families"]
    assert families["task x pattern"]["n_withheld"] > 100
    assert sum(f["n_exact"] + f["n_narrow"] + f["n_proven_present"] for f in families.values()) == 0
    assert min(f["narrowest"] for f in families.values() if f["narrowest"] is not None) >= 10


def test_worlds_are_given_for_the_worst_cells_and_differ_there() -> None:
    report = report_of(small_release().candidate)
    worst = report.figures["linkage"]["worst"]
    assert len(worst) == 20
    assert all(
        len(entry["interval"]) == 2 and entry["interval"][1] - entry["interval"][0] >= 10 for entry in worst
    )
    assert report.worlds is not None
    pairs = {(row["rank"], row["bound"]) for row in report.worlds.to_pylist()}
    assert len(pairs) == 40


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_planted_leak_is_found(name: str, tmp_path: Path) -> None:
    statements, check, family = PLANTED[name]
    report = report_of(
        tampered(small_release(), tmp_path / "release.duckdb", *statements), attacks=("tables",)
    )
    assert not report.is_clean
    assert (check, family) in {(finding.check_name, finding.family) for finding in report.findings}


def test_findings_never_show_a_value_outside_the_vocabulary(tmp_path: Path) -> None:
    path = tampered(
        small_release(),
        tmp_path / "release.duckdb",
        f"update task_usage set task = 'secretword' where task_id = {FIRST_TASK}",
        "update skill_usage set skill = 'secretword' where skill = 'writing'",
        "update release_manifest set value = 'secretword' where item = 'population'",
    )
    report = report_of(path)
    assert not report.is_clean
    assert "secretword" not in str(report.as_dict())


def test_the_private_database_is_not_needed_and_not_read(tmp_path: Path) -> None:
    path = tampered(small_release(), tmp_path / "release.duckdb")
    report = audit_everything(
        path, reference_of(small_release()), private=tmp_path / "private.duckdb", into=tmp_path / "none"
    )
    assert report.is_clean


def test_findings_table_has_a_stable_schema_and_order() -> None:
    assert findings_table([]).schema.equals(FINDINGS_SCHEMA)
    found = Collector(limit=2)
    for cell in "dcba":
        found.add("floors", "A5", "t", cell, "Sentence.")
    table = findings_table(found.findings())
    assert isinstance(table, pa.Table)
    assert table["cell"].to_pylist() == ["*", "c", "d"]
    assert found.count() == 4


def test_missing_release_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no release database"):
        audit_path(tmp_path / "nothing.duckdb")
    (tmp_path / "broken.duckdb").write_text("no database")
    with pytest.raises(UserError, match="cannot be read"):
        audit_path(tmp_path / "broken.duckdb")


def test_the_catalogue_has_a_key_and_a_vocabulary_for_every_text() -> None:
    for name, mart in MARTS.items():
        assert mart.key and set(mart.key) <= mart.columns, name
        assert set(mart.texts) <= mart.columns and all(mart.texts.values()), name


def test_units_without_tasks_are_not_applicable_and_no_others(tmp_path: Path) -> None:
    """The official taxonomy has occupations with a wage and no task; the sample has none, so one is made."""
    candidate = small_release().candidate
    with duckdb.connect(str(candidate), read_only=True) as connection:
        found = connection.execute(
            "select w.onet_soc_code from marts.wage_usage as w inner join marts.occupation_usage as o "
            "using (onet_soc_code) where o.status = 'withheld' and w.status = 'withheld' order by 1"
        ).fetchall()
    code = found[0][0]
    wage = f"update wage_usage set status = 'not_applicable' where onet_soc_code = '{code}'"
    occupation = (
        f"update occupation_usage set status = 'not_applicable', n_tasks = 0 where onet_soc_code = '{code}'"
    )

    def floors(name: str, *statements: str) -> list[str]:
        path = tampered(small_release(), tmp_path / f"{name}.duckdb", *statements)
        report = audit_path(path, reference_of(small_release()), attacks=("tables",))
        return [finding.family for finding in report.findings if finding.check_name == "floors"]

    assert floors("told", wage) == ["wage_usage"], "it has tasks, so this says that they are unused"
    assert floors("empty", wage, occupation) == []


def test_another_taxonomy_makes_every_unit_of_tasks_not_applicable(tmp_path: Path) -> None:
    columns = "release_id, previous_release_id, family, unit, label, base, status"
    task = (
        "select any_value(release_id), '0123456789abcdef', 'task', {}, any_value(task), 'published_tasks', '{}' "
        "from task_usage"
    )

    def floors(name: str, *statuses: str) -> list[str]:
        rows = " union all ".join(task.format(unit, status) for unit, status in enumerate(statuses))
        path = tampered(
            small_release(), tmp_path / f"{name}.duckdb", f"insert into release_change ({columns}) {rows}"
        )
        report = audit_path(path, reference_of(small_release()), attacks=("tables",))
        return [finding.family for finding in report.findings if finding.check_name == "floors"]

    assert floors("other", "not_applicable", "not_applicable") == []
    assert floors("told", "not_applicable", "withheld") == ["release_change"]
