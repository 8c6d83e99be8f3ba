"""Our marts as the files of the published releases: names, columns, sums, a foreign program, and the way
back.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from synthetic_facts import make_facts
from wall_project import REPO, Built, run_wall

from economic_index.errors import UserError
from economic_index.release.export import export_release, find_database
from economic_index.release.import_release import import_release

REFERENCE = REPO / "seeds" / "reference"
SAMPLE = REPO / "seeds" / "sample"

# Names and columns of the release of February 2025.
PUBLISHED_COLUMNS = {
    "onet_task_mappings.csv": ["task_name", "pct"],
    "automation_vs_augmentation.csv": ["interaction_type", "pct"],
    "SOC_Structure.csv": [
        "Major Group",
        "Minor Group",
        "Broad Occupation",
        "Detailed Occupation",
        "Detailed O*NET-SOC",
        "SOC or O*NET-SOC 2019 Title",
    ],
    "bls_employment_may_2023.csv": ["SOC or O*NET-SOC 2019 Title", "bls_distribution"],
    "onet_task_statements.csv": [
        "O*NET-SOC Code",
        "Title",
        "Task ID",
        "Task",
        "Task Type",
        "Incumbents Responding",
        "Date",
        "Domain Source",
    ],
    "wage_data.csv": [
        "SOCcode",
        "JobName",
        "JobFamily",
        "isBright",
        "isGreen",
        "JobZone",
        "MedianSalary",
        "JobForecast",
        "ChanceAuto",
        "WageGroup",
    ],
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    facts, labels = make_facts(30_000, seed=5, countries=("US", "NA", "DE"))
    return run_wall(tmp_path_factory.mktemp("export"), facts, labels, models=("other", "small", "large"))


@pytest.fixture(scope="module")
def flat(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("flat")
    export_release("aei-2025-02", built.candidate, output, SAMPLE, REFERENCE)
    return output


@pytest.fixture(scope="module")
def long(built: Built, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    output = tmp_path_factory.mktemp("long")
    written = export_release("aei-long", built.candidate, output, SAMPLE, REFERENCE, "Our 'own' assistant")
    return rows_of(output / written[0].name)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def ask(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_names_and_columns_are_those_of_the_published_release(flat: Path) -> None:
    for name, columns in PUBLISHED_COLUMNS.items():
        with (flat / name).open(encoding="utf-8", newline="") as file:
            assert next(csv.reader(file)) == columns, name
    assert b"\r" not in (flat / "onet_task_mappings.csv").read_bytes()


def test_percentages_sum_to_a_hundred_over_tasks_and_none(built: Built, flat: Path) -> None:
    rows = rows_of(flat / "onet_task_mappings.csv")
    assert sum(float(row["pct"]) for row in rows) == pytest.approx(100, abs=1e-9)
    assert all(row["task_name"] == row["task_name"].lower() for row in rows)
    n_published = ask(built.candidate, "select count(*) from marts.task_usage where status = 'published'")[0][
        0
    ]
    none = ask(built.candidate, "select status from marts.outcome_totals where outcome = 'none'")[0][0]
    assert len(rows) == n_published + (none == "published")
    assert ("none" in {row["task_name"] for row in rows}) == (none == "published")


def test_nothing_withheld_is_exported(built: Built, flat: Path, long: list[dict[str, str]]) -> None:
    withheld = {
        t
        for (t,) in ask(
            built.candidate, "select lower(task) from marts.task_usage where status <> 'published'"
        )
    }
    assert withheld, "the test needs withheld tasks"
    assert not withheld & {row["task_name"] for row in rows_of(flat / "onet_task_mappings.csv")}
    assert not withheld & {row["cluster_name"].split("::")[0] for row in long}
    for row in rows_of(flat / "task_details.csv"):
        assert (row["status"] == "published") == bool(row["n_conversations"])


def test_residuals_and_tasks_make_up_the_classified_whole(built: Built, flat: Path) -> None:
    totals = json.loads((flat / "datapackage.json").read_text(encoding="utf-8"))["economic_index"]["totals"]
    shares = {row["task_name"]: float(row["pct"]) for row in rows_of(flat / "onet_task_mappings.csv")}
    shares.pop("none", None)
    in_tasks = sum(round(pct * totals["onet_task_mappings.csv"] / 100) for pct in shares.values())
    residuals = rows_of(flat / "residuals.csv")
    assert residuals
    withheld = sum(int(row["n_conversations"]) for row in residuals)
    classified = ask(
        built.candidate, "select n_conversations from marts.outcome_totals where outcome = 'classified'"
    )
    assert in_tasks + withheld == classified[0][0]


def test_crosswalk_weights_sum_to_one_for_every_task(flat: Path) -> None:
    weights: dict[str, int] = {}
    whole: dict[str, int] = {}
    for row in rows_of(flat / "task_occupation_crosswalk.csv"):
        weights[row["task_id"]] = weights.get(row["task_id"], 0) + int(row["weight_numerator"])
        whole[row["task_id"]] = int(row["weight_denominator"])
    assert weights == whole
    assert set(weights) == {row["task_id"] for row in rows_of(flat / "task_details.csv")}


def test_the_data_package_describes_every_file(flat: Path) -> None:
    package = json.loads((flat / "datapackage.json").read_text(encoding="utf-8"))
    assert {r["path"] for r in package["resources"]} == {path.name for path in flat.glob("*.csv")}
    for entry in package["resources"]:
        with (flat / entry["path"]).open(encoding="utf-8", newline="") as file:
            assert next(csv.reader(file)) == [field["name"] for field in entry["schema"]["fields"]]
        for field in entry["schema"]["fields"]:
            if field["type"] in ("integer", "number"):
                for row in rows_of(flat / entry["path"])[:50]:
                    assert row[field["name"]] == "" or float(row[field["name"]]) == float(row[field["name"]])
    assert package["economic_index"]["manifest"]["taxonomy_release"] == "sample-1"
    assert "O*NET" in (flat / "LICENSES.md").read_text(encoding="utf-8")
    assert (flat / "CITATION.cff").read_text(encoding="utf-8").startswith("cff-version: 1.2.0")


FOREIGN_PROGRAM = '''
"""Written for the published files alone: category shares, wage and employment joins, in pandas."""
import json
import sys

import pandas as pd

folder = sys.argv[1] + "/"
statements = pd.read_csv(folder + "onet_task_statements.csv")
statements["Task"] = statements["Task"].str.lower().str.strip()
statements["soc_major"] = statements["O*NET-SOC Code"].str[:2]
shares = pd.read_csv(folder + "onet_task_mappings.csv")
holders = statements.groupby("Task")["Title"].nunique().rename("n_occurrences").reset_index()
merged = shares.merge(statements, left_on="task_name", right_on="Task").merge(holders, on="Task")
merged["pct_occ"] = merged["pct"] / merged["n_occurrences"]
merged["pct_occ"] = 100 * merged["pct_occ"] / merged["pct_occ"].sum()
structure = pd.read_csv(folder + "SOC_Structure.csv").dropna(subset=["Major Group"])
structure["soc_major"] = structure["Major Group"].str[:2]
categories = merged.merge(structure[["soc_major", "SOC or O*NET-SOC 2019 Title"]], on="soc_major")
categories = categories.groupby("SOC or O*NET-SOC 2019 Title")["pct_occ"].sum()
employment = pd.read_csv(folder + "bls_employment_may_2023.csv").set_index("SOC or O*NET-SOC 2019 Title")
employment["share"] = 100 * employment["bls_distribution"] / employment["bls_distribution"].sum()
both = categories.to_frame().join(employment, how="outer").fillna(0)
wages = pd.read_csv(folder + "wage_data.csv")
occupations = merged.groupby("O*NET-SOC Code")["pct_occ"].sum().reset_index()
waged = occupations.merge(wages[wages["MedianSalary"] > 100], left_on="O*NET-SOC Code", right_on="SOCcode")
modes = pd.read_csv(folder + "automation_vs_augmentation.csv").set_index("interaction_type")["pct"]
modes = modes.drop("none", errors="ignore")
modes = 100 * modes / modes.sum()
result = {"categories": both["pct_occ"].to_dict(), "waged": waged["pct_occ"].sum(), "modes": modes.to_dict()}
print(json.dumps(result))
'''


def test_a_program_for_the_published_release_runs_and_agrees_with_our_marts(
    built: Built, flat: Path, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(FOREIGN_PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program), str(flat)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)
    ours = dict(
        ask(
            built.candidate,
            "select title, 100 * share_of_published_tasks from marts.occupation_category_usage "
            "where soc_major_code <> 'unattributed' and status = 'published'",
        )
    )
    assert {title: pytest.approx(value, abs=1e-9) for title, value in ours.items()} == {
        title: theirs["categories"][title] for title in ours
    }
    patterns = ask(
        built.candidate,
        "select replace(collaboration_pattern, '_', ' '), 100 * share_of_classified_patterns "
        "from marts.collaboration_usage where pattern_level = 'pattern' and share_of_classified_patterns "
        "is not null",
    )
    for name, value in patterns:
        assert theirs["modes"][name] == pytest.approx(value, abs=1e-9)


ROUND_TRIP = {
    "task_usage": "task_id, status, n_conversations, share_of_published_tasks, share_of_classified",
    "occupation_usage": "onet_soc_code, status, n_conversations, n_conversations_residual, "
    "share_of_published_tasks",
    "occupation_category_usage": "soc_major_code, status, n_conversations, n_conversations_residual, "
    "is_complete, "
    "share_of_published_tasks, share_of_us_employment, ratio_of_usage_to_employment",
    "depth_of_use": "min_percent_of_tasks, n_occupations_at_least, share_of_occupations",
    "job_zone_usage": "job_zone, status, n_conversations, share_of_zoned, share_of_used_pairs, "
    "ratio_to_used_pairs",
    "wage_band_usage": "wage_band, n_occupations, n_conversations, share_of_published_tasks",
    "collaboration_usage": "pattern_level, collaboration_pattern, status, n_conversations, share_of_all, "
    "share_of_classified_patterns",
}


def test_export_import_and_rebuild_give_the_same_roll_ups(built: Built, flat: Path, tmp_path: Path) -> None:
    project = built.seeds.parents[1]
    report = import_release(flat, tmp_path / "imported", project / "seeds" / "imported")
    assert report.total_source == "metadata" and report.tasks_not_in_taxonomy == []
    assert report.pattern_total_source == "metadata"
    warehouse = tmp_path / "warehouse"
    warehouse.mkdir()
    environment = {
        **os.environ,
        "ECONOMIC_INDEX_WAREHOUSE": str(warehouse),
        "ECONOMIC_INDEX_PROJECT": str(project),
        "ECONOMIC_INDEX_TAXONOMY": "seeds/imported",
        "ECONOMIC_INDEX_IMPORTED_RELEASE": str(tmp_path / "imported"),
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
        "STUB_FACTS": "not read",
        "STUB_LABELS": "not read",
    }
    dbt = [str(Path(sys.executable).parent / "dbt"), "build", "--quiet", "--exclude", "reproduction"]
    done = subprocess.run(
        [*dbt, "--project-dir", str(project), "--profiles-dir", str(project)],
        env=environment, capture_output=True, text=True, cwd=project, check=False,
    )  # fmt: skip
    shutil.rmtree(project / "seeds" / "imported")
    assert done.returncode == 0, done.stdout[-3000:]
    for mart, columns in ROUND_TRIP.items():
        sql = f"select {columns} from marts.{mart} order by all"
        before, after = ask(built.candidate, sql), ask(warehouse / "release.duckdb", sql)
        assert before == after, mart
    manifest = dict(ask(warehouse / "release.duckdb", "select item, value from marts.release_manifest"))
    assert manifest["engine"] == "imported"


def test_the_long_layout_has_its_columns_and_its_words(long: list[dict[str, str]]) -> None:
    assert list(long[0]) == [
        "geo_id", "geography", "date_start", "date_end", "platform_and_product",
        "facet", "level", "variable", "cluster_name", "value",
    ]  # fmt: skip
    assert {row["platform_and_product"] for row in long} == {"Our 'own' assistant"}
    assert {row["facet"] for row in long} >= {
        "onet_task",
        "collaboration",
        "onet_task::collaboration",
        "country",
    }
    assert any(row["cluster_name"] == "not_classified" and row["facet"] == "onet_task" for row in long)
    assert {row["geo_id"] for row in long if row["facet"] == "country"} >= {"NA"}, "NA is Namibia"


def test_percentages_of_the_long_layout_sum_to_a_hundred(long: list[dict[str, str]]) -> None:
    for facet, variable in (("onet_task", "onet_task_pct"), ("collaboration", "collaboration_pct")):
        values = [
            float(row["value"])
            for row in long
            if row["facet"] == facet and row["variable"] == variable and row["geo_id"] == "GLOBAL"
        ]
        assert sum(values) == pytest.approx(100, abs=1e-6), facet
    by_task: dict[str, float] = {}
    for row in long:
        if row["variable"] == "onet_task_collaboration_pct":
            task = row["cluster_name"].split("::")[0]
            by_task[task] = by_task.get(task, 0) + float(row["value"])
    assert by_task and all(value == pytest.approx(100, abs=1e-6) for value in by_task.values())


def test_the_same_release_gives_the_same_bytes(built: Built, tmp_path: Path) -> None:
    for layout in ("aei-2025-02", "aei-long"):
        for folder in ("a", "b"):
            export_release(layout, built.candidate, tmp_path / folder, SAMPLE, REFERENCE)
    first = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}


def test_user_errors(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECONOMIC_INDEX_RELEASES", str(tmp_path / "none"))
    with pytest.raises(UserError, match="publish"):
        find_database(None)
    with pytest.raises(UserError, match="no release at"):
        find_database(tmp_path)
    with pytest.raises(UserError, match="no layout"):
        export_release("other", built.candidate, tmp_path, SAMPLE, REFERENCE)
    (tmp_path / "empty.duckdb").touch()
    with pytest.raises(UserError, match="not a release"):
        export_release("aei-long", tmp_path / "empty.duckdb", tmp_path / "x", SAMPLE, REFERENCE)
    shutil.copytree(SAMPLE, tmp_path / "seeds")
    path = tmp_path / "seeds" / "taxonomy_release.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("sample-1", "other"), encoding="utf-8")
    with pytest.raises(UserError, match="ECONOMIC_INDEX_TAXONOMY"):
        export_release("aei-long", built.candidate, tmp_path / "x", tmp_path / "seeds", REFERENCE)


MANY_ROWS = """
import re, sys
from pathlib import Path
import duckdb
from economic_index.release.export import export_release
folder = Path(sys.argv[1])
export_release("aei-long", folder / "big.duckdb", folder / "out", Path(sys.argv[2]), Path(sys.argv[3]))
# The kernel's figure of this program alone: getrusage counts the process that started it, too.
print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])
"""


@pytest.mark.slow
def test_millions_of_rows_in_flat_memory(built: Built, tmp_path: Path) -> None:
    """Two million rows of one mart, written under a peak that ten million pass too (benchmarks: same
    peak).
    """
    shutil.copy(built.candidate, tmp_path / "big.duckdb")
    with duckdb.connect(str(tmp_path / "big.duckdb")) as connection:
        connection.execute(
            "insert into marts.task_collaboration_usage select t.* replace (r as task_id) "
            "from (select * from marts.task_collaboration_usage where status = 'published' limit 1) as t, "
            "range(1000000, 2000000) as many(r)"
        )
    done = subprocess.run(
        [sys.executable, "-c", MANY_ROWS, str(tmp_path), str(SAMPLE), str(REFERENCE)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 900_000, "peak memory in kB"
