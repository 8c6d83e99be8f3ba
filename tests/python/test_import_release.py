"""A published release in the flat layout, read with everything that can be wrong with it."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from economic_index.cli import app, register_commands
from economic_index.errors import UserError
from economic_index.release.counts import counts_over, is_power_of_ten_divisor, recover_total
from economic_index.release.flat_files import normalised, read_table
from economic_index.release.flat_taxonomy import TaxonomyOptions, soc_vintage
from economic_index.release.import_release import Options, Report, find_task_file, import_release

REPO = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ECONOMIC_INDEX_DATA") or REPO.parent / "shared" / "data")
needs_data = pytest.mark.skipif(
    not (DATA / "aei").is_dir(), reason="the published releases are not beside the checkout"
)

COUNTS = {"write a plan.": 400, "check the plan.": 250, "file the plan.": 17, "none": 33}
PATTERNS = {
    "directive": 301,
    "feedback loop": 53,
    "task iteration": 200,
    "learning": 149,
    "validation": 31,
    "none": 67,
}


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECONOMIC_INDEX_PROJECT", str(REPO))


def write(
    path: Path, header: list[str], rows: list[list[object]], *, encoding: str = "utf-8", end: str = "\n"
) -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, lineterminator=end)
        writer.writerow(header)
        writer.writerows(rows)


def shares(counts: dict[str, int], total: int | None = None) -> list[list[object]]:
    total = total or sum(counts.values())
    return [[name, 100 * n / total] for name, n in counts.items()]


STATEMENT_HEADER = ["O*NET-SOC Code", "Title", "Task ID", "Task", "Task Type"]
STATEMENTS: list[list[object]] = [
    ["15-1131.00", "Computer Programmers", 1, "Write a plan.", "Core"],
    ["11-1011.00", "Chief Executives", 2, "Write a plan.", "Core"],
    ["15-1131.00", "Computer Programmers", 3, "Check  the plan.", "Core"],
    ["11-1011.00", "Chief Executives", 4, "File the plan.", ""],
]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    write(folder / "onet_task_mappings.csv", ["task_name", "pct"], shares(COUNTS))
    write(folder / "automation_vs_augmentation.csv", ["interaction_type", "pct"], shares(PATTERNS, 907))
    write(folder / "onet_task_statements.csv", STATEMENT_HEADER, STATEMENTS)
    write(
        folder / "wage_data.csv",
        ["SOCcode", "JobName", "JobZone", "MedianSalary"],
        [["15-1131.00", "p", 4, 80000.0], ["11-1011.00", "c", -1, 17.54], ["15-1131.00", "again", 2, 1.0]],
    )
    return folder


def run(release: Path, options: Options | None = None) -> Report:
    return import_release(release, release.parent / "out", release.parent / "seeds", options)


def counted(release: Path, table: str, label: str) -> dict[str, int]:
    rows = pq.read_table(release.parent / "out" / "door" / f"{table}.parquet").to_pylist()
    return {row[label]: row["n_conversations"] for row in rows}


def seed(release: Path, name: str) -> list[dict[str, str]]:
    with (release.parent / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_counts_are_recovered_and_none_is_an_outcome(release: Path) -> None:
    report = run(release)
    assert (report.total, report.total_source) == (700, "digits")
    assert counted(release, "tasks", "task_name") == {
        "write a plan.": 400,
        "check the plan.": 250,
        "file the plan.": 17,
    }
    assert counted(release, "outcomes", "outcome") == {"none": 33}
    assert report.tasks_not_in_taxonomy == []


def test_what_the_pattern_file_leaves_out_is_not_attributed(release: Path) -> None:
    report = run(release)
    patterns = counted(release, "patterns", "collaboration_pattern")
    assert patterns["feedback_loop"] == 53
    assert patterns["not_attributed"] == 907 - sum(PATTERNS.values())
    assert report.pattern_total == 907
    assert any("sum to" in note and "not 100" in note for note in report.notes)


def test_the_taxonomy_is_written_as_seeds(release: Path) -> None:
    report = run(release)
    assert (report.soc_vintage, report.taxonomy_release) == ("2010", "as published in release")
    assert [row["onet_soc_code"] for row in seed(release, "onet_occupations")] == ["11-1011.00", "15-1131.00"]
    wages = {row["occ_code"]: row["a_median"] for row in seed(release, "bls_oews_national")}
    assert wages == {"15-1131.00": "80000.00", "11-1011.00": "*"}, "an hourly value is no yearly wage"
    assert [row["job_zone"] for row in seed(release, "onet_job_zones")] == ["4"], "-1 is no zone"
    for name in ("onet_iwa_reference", "onet_dwa_reference", "onet_tasks_to_dwas", "onet_soc_crosswalk"):
        assert seed(release, name) == []
    sample = {path.name for path in (REPO / "seeds" / "sample").glob("*.csv")}
    assert sample <= {path.name for path in (release.parent / "seeds").glob("*.csv")}


def test_byte_order_mark_windows_line_ends_and_other_letter_case(release: Path) -> None:
    rows = shares(COUNTS)
    write(release / "onet_task_mappings.csv", ["Task_Name ", "PCT"], rows, encoding="utf-8-sig", end="\r\n")
    run(release)
    assert counted(release, "tasks", "task_name")["write a plan."] == 400


def test_a_cell_of_two_megabytes_is_listed_not_dropped(release: Path) -> None:
    counts = {**COUNTS, "x" * 2_000_000: 40}
    write(release / "onet_task_mappings.csv", ["task_name", "pct"], shares(counts))
    report = run(release)
    assert [row["n_conversations"] for row in report.tasks_not_in_taxonomy] == [40]
    assert len(report.tasks_not_in_taxonomy[0]["task_name"]) <= 200
    assert sum(counted(release, "tasks", "task_name").values()) == 707
    listed = (release.parent / "out" / "tasks_not_in_taxonomy.csv").read_text(encoding="utf-8")
    assert len(listed.splitlines()) == 2


def test_duplicates_after_normalisation_are_added_and_said(release: Path) -> None:
    counts = {**COUNTS, " Write  a PLAN. ": 41}
    write(release / "onet_task_mappings.csv", ["task_name", "pct"], shares(counts))
    report = run(release)
    assert counted(release, "tasks", "task_name")["write a plan."] == 441
    assert [row["n_rows"] for row in report.duplicate_tasks] == [2]


def test_tasks_below_the_floor_are_said(release: Path) -> None:
    write(release / "onet_task_mappings.csv", ["task_name", "pct"], shares({**COUNTS, "file the plan.": 14}))
    assert [row["n_conversations"] for row in run(release).below_floor] == [14]


def test_percentages_that_do_not_sum_to_a_hundred_are_said(release: Path) -> None:
    write(release / "onet_task_mappings.csv", ["task_name", "pct"], shares(COUNTS, 1001))
    report = run(release)
    assert report.total == 1001
    assert any(note.startswith("onet_task_mappings.csv: percentages sum to 69.9") for note in report.notes)


def test_rounded_percentages_need_a_total(release: Path) -> None:
    write(
        release / "onet_task_mappings.csv",
        ["task_name", "pct"],
        [[name, round(float(str(pct)), 3)] for name, pct in shares(COUNTS, 7919)],
    )
    with pytest.raises(UserError, match="--total"):
        run(release)
    report = run(release, Options(total=7919))
    assert report.total_source == "given"
    assert counted(release, "tasks", "task_name")["check the plan."] == 250
    assert any("rounded" in note for note in report.notes)


def test_the_total_of_our_own_metadata_wins_over_the_digits(release: Path) -> None:
    document = {"economic_index": {"totals": {"onet_task_mappings.csv": 7000}}}
    (release / "datapackage.json").write_text(json.dumps(document), encoding="utf-8")
    report = run(release)
    assert (report.total, report.total_source) == (7000, "metadata")
    assert counted(release, "tasks", "task_name")["file the plan."] == 170


@pytest.mark.parametrize(
    ("file", "header", "rows", "words"),
    [
        ("onet_task_mappings.csv", ["task", "pct"], [["a", 1]], "no column 'task_name'"),
        ("onet_task_mappings.csv", ["task_name", "share"], [["a", 1]], "no column 'pct'"),
        ("onet_task_mappings.csv", ["task_name", "pct"], [["a", "many"]], "not a number from 0 to 100"),
        ("onet_task_mappings.csv", ["task_name", "pct"], [["a", "nan"]], "not a number from 0 to 100"),
        ("onet_task_mappings.csv", ["task_name", "pct"], [["a", 101]], "not a number from 0 to 100"),
        ("onet_task_mappings.csv", ["task_name", "pct"], [["a", 1, 2]], "Row 2"),
        ("onet_task_mappings.csv", ["task_name", "pct"], [], "no rows"),
        ("onet_task_mappings.csv", ["task_name", "pct", "pct"], [["a", 1, 2]], "more than once"),
        ("onet_task_mappings.csv", [], [], "is empty"),
        ("automation_vs_augmentation.csv", ["interaction_type", "pct"], [["dance", 100]], "does not know"),
        (
            "automation_vs_augmentation.csv",
            ["interaction_type", "pct"],
            [["none", 50], ["None", 50]],
            "two rows",
        ),
        (
            "onet_task_statements.csv",
            ["O*NET-SOC Code", "Task ID", "Task"],
            [["15-1131.00", 1, "a"]],
            "'Title'",
        ),
        ("wage_data.csv", ["SOCcode", "MedianSalary"], [["15-1131.00", "high"]], "MedianSalary"),
    ],
)
def test_damaged_files_end_in_one_sentence(
    release: Path, file: str, header: list[str], rows: list[list[object]], words: str
) -> None:
    write(release / file, header, rows)
    with pytest.raises(UserError, match=words.replace("*", r"\*")) as caught:
        run(release)
    assert file in str(caught.value) and str(caught.value).endswith((".", ".csv."))
    assert "\n" not in str(caught.value)


def test_not_utf8_and_broken_quotes(release: Path) -> None:
    path = release / "onet_task_mappings.csv"
    path.write_bytes(b"task_name,pct\ncaf\xe9,100\n")
    with pytest.raises(UserError, match="not UTF-8"):
        run(release)
    path.write_bytes(b'task_name,pct\n"never closed,100\n')
    with pytest.raises(UserError, match="not valid CSV"):
        run(release)


def test_missing_files(release: Path) -> None:
    (release / "automation_vs_augmentation.csv").unlink()
    (release / "wage_data.csv").unlink()
    report = run(release)
    assert report.pattern_file is None and counted(release, "patterns", "collaboration_pattern") == {}
    assert seed(release, "bls_oews_national") == []
    assert any("wage_data.csv is not in the folder" in note for note in report.notes)
    (release / "onet_task_statements.csv").rename(release.parent / "onet_task_statements.csv")
    with pytest.raises(UserError, match="--taxonomy"):
        run(release)
    assert run(release, Options(taxonomy=TaxonomyOptions(folder=release.parent))).n_tasks == 3
    (release / "onet_task_mappings.csv").unlink()
    with pytest.raises(UserError, match="no task shares"):
        run(release)


def test_a_foreign_taxonomy_is_refused_and_mixed_vintages_too(release: Path) -> None:
    with pytest.raises(UserError, match="No task of the release"):
        write(
            release / "onet_task_statements.csv",
            STATEMENT_HEADER,
            [["15-1131.00", "P", 1, "Something else.", ""]],
        )
        run(release)
    mixed = [*STATEMENTS, ["15-1252.00", "Software Developers", 9, "Do it.", "Core"]]
    write(release / "onet_task_statements.csv", STATEMENT_HEADER, mixed)
    with pytest.raises(UserError, match="mixes O\\*NET-SOC codes"):
        run(release)
    assert run(release, Options(taxonomy=TaxonomyOptions(soc_vintage="2019"))).soc_vintage == "2019"
    assert soc_vintage({"15-1252.00"}, release) == "2019"


def test_the_projects_own_seeds_serve_as_taxonomy(release: Path) -> None:
    (release / "onet_task_statements.csv").unlink()
    tasks = read_table(REPO / "seeds" / "sample" / "onet_task_statements.csv", ["task"])
    write(
        release / "onet_task_mappings.csv",
        ["task_name", "pct"],
        shares({tasks[0]["task"]: 20, tasks[1]["task"]: 31}),
    )
    report = run(release, Options(taxonomy=TaxonomyOptions(folder=REPO / "seeds" / "sample")))
    assert report.taxonomy_release == "sample-1" and report.tasks_not_in_taxonomy == []


def test_the_newest_edition_is_read_unless_one_is_named(tmp_path: Path) -> None:
    for name in ("task_pct_v1.csv", "task_pct_v2.csv", "task_pct_v10.csv"):
        (tmp_path / name).touch()
    assert find_task_file(tmp_path, None).name == "task_pct_v10.csv"
    assert find_task_file(tmp_path, "v1").name == "task_pct_v1.csv"
    with pytest.raises(UserError, match=r"task_pct_v3\.csv"):
        find_task_file(tmp_path, "v3")


def test_the_command_prints_one_json_document(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    (project / "seeds" / "reference").mkdir(parents=True)
    (project / "dbt_project.yml").touch()
    groups = (REPO / "seeds" / "reference" / "soc_major_groups.csv").read_bytes()
    (project / "seeds" / "reference" / "soc_major_groups.csv").write_bytes(groups)
    monkeypatch.setenv("ECONOMIC_INDEX_PROJECT", str(project))
    monkeypatch.setenv("ECONOMIC_INDEX_WAREHOUSE", str(tmp_path / "warehouse"))
    if not app.registered_commands:
        register_commands()
    result = CliRunner().invoke(app, ["import-release", str(release), "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["total"] == 700
    assert (project / "seeds" / "installed" / "release" / "taxonomy_release.csv").is_file()
    assert (tmp_path / "warehouse" / "imported" / "release" / "door" / "run.parquet").is_file()


@given(
    st.lists(st.integers(1, 5000), min_size=2, max_size=60),
    st.integers(0, 3000),
)
@settings(max_examples=200, deadline=None)
def test_any_counts_come_back_up_to_their_common_divisor(counts: list[int], rest: int) -> None:
    import math

    total = sum(counts) + rest
    percentages = [100 * n / total for n in counts]
    divisor = math.gcd(total, *counts)
    expected = total // divisor
    assert recover_total(percentages) == (None if is_power_of_ten_divisor(expected) else expected)
    back = counts_over(percentages, total, "given")
    assert list(back.counts) == counts and back.is_exact


@given(st.lists(st.floats(0.001, 20), min_size=30, max_size=60, unique=True))
@settings(max_examples=50, deadline=None)
def test_percentages_that_are_no_counts_give_no_total(percentages: list[float]) -> None:
    recovered = recover_total(percentages)
    if recovered is not None:
        assert counts_over(percentages, recovered, "digits").is_exact


@given(st.text(alphabet=" \t\n\r\f\vaBcÉ", max_size=30))
def test_normal_form_agrees_with_the_sql(text: str) -> None:
    import duckdb

    row = duckdb.execute("select lower(trim(regexp_replace(?, '[[:space:]]+', ' ', 'g')))", [text]).fetchone()
    assert row is not None and normalised(text) == row[0]


@pytest.mark.data
@needs_data
def test_the_published_counts_are_recovered_exactly(tmp_path: Path) -> None:
    first = import_release(DATA / "aei" / "release_2025_02_10", tmp_path / "a", tmp_path / "sa")
    assert (first.total, first.pattern_total, first.n_tasks) == (767_510, 797_504, 3_513)
    assert (first.taxonomy_release, first.soc_vintage) == ("20.1", "2010")
    assert first.tasks_not_in_taxonomy == [] and first.duplicate_tasks == [] and first.below_floor == []
    second = import_release(
        DATA / "aei" / "release_2025_03_27",
        tmp_path / "b",
        tmp_path / "sb",
        Options(taxonomy=TaxonomyOptions(folder=DATA / "aei" / "release_2025_02_10")),
    )
    assert (second.task_file, second.total, second.n_tasks) == ("task_pct_v2.csv", 973_636, 3_364)
