"""The rules of the house, read from dbt's manifest: documentation, contracts, access, and what marts read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from dbt_project import REPO, copy_project, read_manifest, run_dbt
from sql_relations import foreign_reads

GRAIN = re.compile(r"^Grain: one row( per |[,:] )")
KEY_TESTS = {"unique", "unique_combination", "exactly_one_row"}
#: Tables without a key, and why: task_statements numbers the copies.
WITHOUT_KEY = {
    "onet_task_statements": "the official file as delivered, where a row may stand twice",
    "stg_onet__task_statements": "one view over that file, row by row",
    "wall_leaf_records": "a view that a build does not look at; its rows are compared with the blocks in test_release_records.py",
}
#: Marts that count no conversations of cells: they have no floors check, and here is why.
WITHOUT_FLOORS = {
    "depth_of_use": "counts occupations whose tasks are published",
    "release_manifest": "facts about the run",
    "suppression_summary": "sums of published cells; its own check holds 15",
    "reproduction": "compares published numbers with those of the paper",
    "design_effects": "five classes of published shares (declared exception of docs/privacy.md)",
    "reconstruction": "correlations of two labellings; its own check holds ten units",
    "validation_accuracy": "whole percents of readings by people; its own check holds 100 readings",
}
#: Marts that only show what the door has, one row for one row: nothing to pin down in a unit test.
WITHOUT_ARITHMETIC = {
    "release_manifest",
    "reproduction",
    "design_effects",
    "reconstruction",
    "validation_accuracy",
}
#: Tests that only warn, and why a failure must not stop the build.
WARNINGS = {
    "task_statements_all_placed": "rows of a user's taxonomy that cannot be placed are listed, not fatal"
}
#: Shares that are facts of the reference data: no sampling, no interval.
SHARES_WITHOUT_INTERVAL = {"share_of_us_employment", "share_of_used_pairs", "share_of_occupations"}
#: Shares that have the residual, which may be shown where no task is published: no value of the status.
SHARES_WITH_RESIDUAL = {
    ("occupation_usage", "share_of_classified"),
    ("occupation_category_usage", "share_of_classified"),
}
PRIVATE_COLUMNS = {
    "conversation_id", "account", "account_key", "account_id", "organization_key", "organization_id",
    "messages", "started_at", "content_hash", "input_row", "record", "digest", "record_digest", "block_id",
    "n_accounts", "n_largest", "n_two_largest",
}  # fmt: skip

Node = dict[str, Any]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled project: parse and compile in one dbt process, warnings as errors."""
    folder = tmp_path_factory.mktemp("manifest")
    done = run_dbt(folder, "--warn-error", "compile", "--no-partial-parse", "--show-all-deprecations")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "deprecat" not in done.stdout.lower()
    return folder


@pytest.fixture(scope="module")
def manifest(work: Path) -> dict[str, Any]:
    return read_manifest(work)


def models(manifest: dict[str, Any]) -> dict[str, Node]:
    return {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}


def marts(manifest: dict[str, Any]) -> dict[str, Node]:
    return {name: node for name, node in models(manifest).items() if node["path"].startswith("marts/")}


def attached_tests(manifest: dict[str, Any]) -> dict[str, list[Node]]:
    """Generic tests by the unique id of the node they are attached to."""
    found = defaultdict(list)
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test" and node.get("attached_node"):
            found[node["attached_node"]].append(node)
    return found


def test_every_model_and_seed_says_its_grain(manifest: dict[str, Any]) -> None:
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed")]
    assert len(nodes) > 60
    assert [node["name"] for node in nodes if not GRAIN.match(node["description"])] == []


def test_every_model_and_seed_has_a_key_test(manifest: dict[str, Any]) -> None:
    attached = attached_tests(manifest)
    without = []
    for unique_id, node in manifest["nodes"].items():
        if node["resource_type"] in ("model", "seed") and node["name"] not in WITHOUT_KEY:
            names = {t["test_metadata"]["name"] for t in attached[unique_id] if not t["config"].get("where")}
            if not names & KEY_TESTS:
                without.append(node["name"])
    assert without == []


def test_every_documented_column_has_a_description(manifest: dict[str, Any]) -> None:
    without = [
        f"{node['name']}.{column}"
        for node in manifest["nodes"].values()
        for column, facts in node.get("columns", {}).items()
        if not facts["description"].strip()
    ]
    assert without == []


def test_tests_fail_the_build_and_keep_no_failing_rows(manifest: dict[str, Any]) -> None:
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    assert len(tests) > 200
    warning = {node["name"] for node in tests if node["config"]["severity"].lower() != "error"}
    assert warning <= set(WARNINGS)
    assert [node["name"] for node in tests if node["config"].get("store_failures")] == []


def yaml_tests(node: Any) -> list[Any]:
    """All entries of ``data_tests`` below a YAML node."""
    if isinstance(node, list):
        return [test for item in node for test in yaml_tests(item)]
    if isinstance(node, dict):
        own = node.get("data_tests") or []
        below = (value for key, value in node.items() if key != "data_tests")
        return [*own, *(test for value in below for test in yaml_tests(value))]
    return []


def test_every_test_is_named_and_nests_its_arguments() -> None:
    unnamed = []
    folders = ("models", "python_models", "seeds")
    for path in sorted(path for folder in folders for path in (REPO / folder).rglob("*.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for test in yaml_tests(document):
            facts = next(iter(test.values())) if isinstance(test, dict) else {}
            if "name" not in facts or set(facts) - {"name", "arguments", "config", "description"}:
                unnamed.append(f"{path.name}: {test}")
        assert "tests" not in str(document.keys()).replace("unit_tests", ""), path
    assert unnamed == []


def test_marts_are_contracted_release_tables(manifest: dict[str, Any]) -> None:
    found = marts(manifest)
    assert len(found) >= 23
    for name, node in found.items():
        config = node["config"]
        assert config["contract"]["enforced"], name
        assert config["materialized"] == "table", name
        assert (config["database"], config["schema"]) == ("release", "marts"), name
        assert (config["group"], config["access"]) == ("release", "public"), name
        for column, facts in node["columns"].items():
            assert facts["description"].strip() and facts["data_type"], f"{name}.{column}"
        assert "release_id" in node["columns"], name
        assert any(c["type"] == "not_null" for c in node["columns"]["release_id"]["constraints"]), name
        assert any(c["type"] == "primary_key" for c in node["constraints"]), name
        assert not set(node["columns"]) & PRIVATE_COLUMNS, name


def test_marts_hold_literal_floors_and_intervals(manifest: dict[str, Any]) -> None:
    found = marts(manifest)
    # The mart reproduction is built from an imported release only.
    assert set(WITHOUT_FLOORS) <= set(found) | {"reproduction"}
    for name, node in found.items():
        checks = {
            constraint["name"]: " ".join(constraint["expression"].split())
            for constraint in node["constraints"]
            if constraint["type"] == "check"
        }
        if name not in WITHOUT_FLOORS:
            floors = checks.get("floors_hold", "")
            assert "n_support_conversations is not null and n_support_conversations >= 15" in floors, name
            assert "n_accounts_at_least is not null and n_accounts_at_least >= 5" in floors, name
            for column in ("n_conversations", "n_support_conversations", "n_accounts_at_least"):
                assert f"{column} is null" in floors, name
            assert node["columns"]["status"]["constraints"], name
            if node["columns"]["n_conversations"]["data_type"] == "double":
                assert "not isnan(n_conversations)" in floors, name
        for column in node["columns"]:
            share = column.startswith("share_of_") and not column.endswith(("_lower", "_upper"))
            if share:
                assert f"{column}_is_share" in checks, f"{name}.{column}"
            if share and (column not in SHARES_WITHOUT_INTERVAL or name == "depth_of_use"):
                assert {f"{column}_lower", f"{column}_upper"} <= set(node["columns"]), f"{name}.{column}"


def test_floors_of_the_wall_and_of_the_contracts_are_the_same(manifest: dict[str, Any]) -> None:
    text = (REPO / "macros" / "privacy" / "floors.sql").read_text(encoding="utf-8")
    assert re.search(r"macro floor_conversations\(\) %\}15\{%", text)
    assert re.search(r"macro floor_accounts\(\) %\}5\{%", text)
    for path in (REPO / "models" / "marts").rglob("_*__models.yml"):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for model in document.get("models") or []:
            for constraint in model.get("constraints") or []:
                assert "{{" not in str(constraint), f"{path.name}: a variable could lower the floors"


def test_marts_with_a_status_show_nothing_beside_withheld(manifest: dict[str, Any]) -> None:
    attached = attached_tests(manifest)
    for name, node in marts(manifest).items():
        if "status" not in node["columns"] or name in WITHOUT_FLOORS:
            continue
        names = {test["test_metadata"]["name"]: test for test in attached[node["unique_id"]]}
        assert {"withheld_has_no_values", "published_above_floors"} <= set(names), name
        listed = set(names["withheld_has_no_values"]["test_metadata"]["kwargs"]["value_columns"])
        shares = {
            c
            for c in node["columns"]
            if c.startswith("share_of_")
            and f"{c}_lower" in node["columns"]
            and (name, c) not in SHARES_WITH_RESIDUAL
        }
        values = {"n_conversations", "n_support_conversations", "n_accounts_at_least", *shares}
        assert values <= listed, name


def test_only_the_public_door_is_open(manifest: dict[str, Any]) -> None:
    for name, node in models(manifest).items():
        if node["config"]["group"] == "private_side":
            is_door = node["path"].startswith("wall/public_door/")
            assert node["config"]["access"] == ("public" if is_door else "private"), name
        assert node["config"]["group"] in ("private_side", "reference", "release"), name


def test_nothing_outside_the_private_side_reads_private_models(manifest: dict[str, Any]) -> None:
    nodes = {**manifest["nodes"], **manifest["exposures"]}
    private = {uid for uid, node in manifest["nodes"].items() if node["config"].get("access") == "private"}
    assert len(private) > 20
    for node in nodes.values():
        if node["resource_type"] in ("model", "exposure") and node["config"].get("group") != "private_side":
            assert not set(node["depends_on"]["nodes"]) & private, node["name"]


def test_compiled_marts_read_nothing_but_refs(manifest: dict[str, Any]) -> None:
    for name, node in marts(manifest).items():
        parents = [manifest["nodes"][uid] for uid in node["depends_on"]["nodes"]]
        allowed = {(p["database"].lower(), p["schema"].lower(), p["alias"].lower()) for p in parents}
        assert foreign_reads(node["compiled_code"], allowed) == [], name


@pytest.mark.parametrize(
    "sql",
    [
        "select * from private.facts.fct_conversations",
        "select * from facts.fct_conversations",
        "select * from fct_conversations",
        "select * from read_csv('anything.csv')",
        "select * from 'anything.parquet'",
        "with a as (select 1 as x) select * from a where x in (select y from other.main.t)",
        "select (select max(content) from read_text('anything.txt')) as x",
        "select getenv('HOME') as x",
        "from release.marts.task_usage, glob('*')",
        "select * from duckdb_tables()",
        "attach 'anything.duckdb' as other",
        "select 1 as x; select 2 as x",
        "copy (select 1) to 'anything.csv'",
        "select * from query('select 1')",
        "select * from information_schema.tables",
    ],
)
def test_the_reader_of_compiled_sql_finds_foreign_reads(sql: str) -> None:
    assert foreign_reads(sql, {("release", "marts", "task_usage")})


def test_the_reader_of_compiled_sql_accepts_refs_and_ctes() -> None:
    sql = """
        with a as (select * from "release"."marts"."task_usage"), b as (select * from a)
        select * from b join a using (x)
    """
    assert foreign_reads(sql, {("release", "marts", "task_usage")}) == []


def test_python_models_are_thin(manifest: dict[str, Any]) -> None:
    paths = sorted((REPO / "python_models").rglob("*.py"))
    assert paths
    for path in paths:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 40, path.name
        assert sum("return " in line for line in lines) == 1, path.name
    folders = {path.name for path in (REPO / "python_models").iterdir() if path.is_dir()}
    assert not folders & {path.name for path in (REPO / "models").iterdir() if path.is_dir()}
    for node in models(manifest).values():
        if node["language"] == "python":
            assert node["config"]["materialized"] == "table", node["name"]


def test_no_packages_and_no_downloads() -> None:
    names = ("packages.yml", "dependencies.yml", "package-lock.yml")
    assert not [name for name in names if (REPO / name).exists()]
    profiles = yaml.safe_load((REPO / "profiles.yml").read_text(encoding="utf-8"))
    for output in profiles["economic_index"]["outputs"].values():
        assert "extensions" not in output


def test_dates_without_quotes_reach_python_models_as_text(tmp_path: Path) -> None:
    """YAML makes date objects of them, which the adapter writes into the model's code as they are."""
    script = """
import datetime, json, sys
from dbt.cli.main import dbtRunner
arguments = ["--quiet", "parse", "--no-partial-parse", "--profiles-dir", ".", "--vars", sys.argv[1]]
nodes = dbtRunner().invoke(arguments).result.nodes.values()
print(json.dumps([node.name for node in nodes if "datetime.date" in repr(node.config.meta)]))
"""
    variables = "{window: {start: 2026-01-01, end: 2026-02-01 12:00:00}}"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("DBT_", "ECONOMIC_INDEX_"))},
        "ECONOMIC_INDEX_WAREHOUSE": str(tmp_path / "warehouse"),
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
    }
    done = subprocess.run(
        [sys.executable, "-c", script, variables], cwd=REPO, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.strip().splitlines()[-1]) == []


def test_every_mart_is_in_exactly_one_exposure(manifest: dict[str, Any]) -> None:
    listed = [uid for exposure in manifest["exposures"].values() for uid in exposure["depends_on"]["nodes"]]
    assert sorted(listed) == sorted(node["unique_id"] for node in marts(manifest).values())
    for exposure in manifest["exposures"].values():
        assert exposure["description"].strip() and exposure["owner"]["email"], exposure["name"]

    # Selection by name would mean the exposure as well: `+occupations` would be everything above the report.
    named = {node["name"] for node in manifest["nodes"].values()}
    assert named.isdisjoint(exposure["name"] for exposure in manifest["exposures"].values())


def test_the_audit_in_the_build_comes_after_every_mart(manifest: dict[str, Any]) -> None:
    """A mart that the model does not ref might be attacked before it is built."""
    read = set(models(manifest)["audit_findings"]["depends_on"]["nodes"])
    assert read == {node["unique_id"] for node in marts(manifest).values()}


def test_marts_with_arithmetic_have_unit_tests(manifest: dict[str, Any]) -> None:
    tested = {unit["model"] for unit in manifest["unit_tests"].values()}
    assert sorted(set(marts(manifest)) - tested - WITHOUT_ARITHMETIC) == []
    assert {"wall_spine", "wall_pattern_closure", "wall_conversations", "task_allocation"} <= tested
    assert {"fct_conversations", "fct_conversation_labels"} <= tested


def test_every_generic_test_is_proven_on_bad_rows() -> None:
    fixtures = "\n".join(p.read_text(encoding="utf-8") for p in (REPO / "tests" / "macros").glob("*.sql"))
    readme = (REPO / "tests" / "generic" / "README.md").read_text(encoding="utf-8")
    for path in sorted((REPO / "tests" / "generic").glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        body = text.split("%}", 1)[1].rsplit("{%", 1)[0].strip()
        logic = re.fullmatch(r"\{\{ (\w+)\(.*\) \}\}", body, re.DOTALL)
        assert logic, f"{path.name}: a generic test is one call of a macro"
        assert f"{logic.group(1)}(" in fixtures, f"{path.name}: no fixture in tests/macros proves it"
        assert f"`{path.stem}`" in readme, f"{path.name}: not in tests/generic/README.md"


def good_value(column: str, data_type: str) -> Any:
    """A value that every contract accepts in a published row."""
    fixed = {
        "status": "published",
        "region_code": "other",
        "n_accounts_rounded": 100,
        "n_accounts_at_least": 5,
        "n_tasks_published": 1,
        "n_occupations_at_least": 1,
        "usage_tier": 1,
    }
    if column in fixed:
        return fixed[column]
    if column.startswith("change_"):
        return -0.25 if column.endswith("_lower") else 0.25 if column.endswith("_upper") else 0.0
    if column.endswith("_lower"):
        return 0.25
    if column.endswith("_upper"):
        return 0.75
    if column.startswith(("share_", "correlation_")):
        return 0.5
    return {"varchar": "x", "boolean": True, "double": 15.0}.get(data_type, 15)


def made_table(connection: duckdb.DuckDBPyConnection, node: Node) -> None:
    """The empty table that dbt makes from the contract of a mart."""
    lines = []
    for name, facts in node["columns"].items():
        required = any(c["type"] == "not_null" for c in facts["constraints"])
        lines.append(f'"{name}" {facts["data_type"]}{" not null" if required else ""}')
    for constraint in node["constraints"]:
        if constraint["type"] == "check":
            lines.append(f"check ({constraint['expression']})")
        else:
            lines.append(f"primary key ({', '.join(constraint['columns'])})")
    connection.execute(f"create or replace table t ({', '.join(lines)})")


def insert(connection: duckdb.DuckDBPyConnection, row: dict[str, Any]) -> None:
    connection.execute("delete from t")
    names = ", ".join(f'"{name}"' for name in row)
    connection.execute(f"insert into t ({names}) values ({', '.join('?' * len(row))})", list(row.values()))


def bad_rows(node: Node, good: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Rows that no mart may show: null, NaN, small cells, values beside withheld, shares that are none."""
    nan, infinity = float("nan"), float("inf")
    columns = node["columns"]
    values = ["n_conversations", "n_support_conversations", "n_accounts_at_least"]
    shares = [c for c in columns if c.startswith("share_of_")]
    rows: list[tuple[str, dict[str, Any]]] = [
        ("status is null", {**good, "status": None}),
        ("status is unknown", {**good, "status": "Published"}),
        ("fourteen conversations", {**good, "n_conversations": 14, "n_support_conversations": 14}),
        ("four accounts", {**good, "n_accounts_at_least": 4}),
    ]
    rows += [(f"{column} is null", {**good, column: None}) for column in values]
    empty = {**good, **dict.fromkeys([*values, *[c for c in shares if c not in SHARES_WITHOUT_INTERVAL]])}
    others = ("ratio_", "correlation_", "change_", "usage_tier", "n_accounts_rounded")
    empty |= {column: None for column in columns if column.startswith(others)}
    for status in ("withheld", "not_applicable"):
        rows += [(f"{status} with {column}", {**empty, "status": status, column: 0}) for column in values]
        rows += [
            (f"{status} with {column}", {**empty, "status": status, column: 0.5})
            for column in shares
            if column not in SHARES_WITHOUT_INTERVAL
        ]
    for column in shares:
        rows += [(f"{column} = {value}", {**good, column: value}) for value in (1.5, -0.5, nan, infinity)]
    doubles = [c for c, facts in columns.items() if facts["data_type"] == "double"]
    for column in doubles:
        if column.startswith(("n_", "ratio_", "correlation_", "change_")) or column == "median_wage_usd":
            rows += [(f"{column} = {value}", {**good, column: value}) for value in (nan, infinity, -infinity)]
    if "region_code" in columns:
        rows.append(("a region of 95", {**good, "region_code": "x", "n_conversations": 95}))
    if "n_accounts_rounded" in columns:
        rows += [(f"n_accounts_rounded = {n}", {**good, "n_accounts_rounded": n}) for n in (75, 101, None)]
    if "n_conversations_residual" in columns:
        rows.append(("residual below the floor", {**good, "n_conversations_residual": 14}))
    return rows


def test_contracts_refuse_null_nan_and_small_cells(manifest: dict[str, Any]) -> None:
    connection = duckdb.connect()
    accepted, tried = [], 0
    for name, node in marts(manifest).items():
        if name in WITHOUT_FLOORS:
            continue
        made_table(connection, node)
        good = {column: good_value(column, facts["data_type"]) for column, facts in node["columns"].items()}
        insert(connection, good)
        for what, row in bad_rows(node, good):
            tried += 1
            try:
                insert(connection, row)
            except duckdb.ConstraintException:
                continue
            accepted.append(f"{name}: {what}")
    assert accepted == []
    assert tried > 400


def test_contracts_accept_a_withheld_row(manifest: dict[str, Any]) -> None:
    connection = duckdb.connect()
    for name, node in marts(manifest).items():
        if name in WITHOUT_FLOORS:
            continue
        made_table(connection, node)
        row = {}
        for column, facts in node["columns"].items():
            required = any(c["type"] == "not_null" for c in facts["constraints"])
            key = any(column in c["columns"] for c in node["constraints"] if c["type"] == "primary_key")
            row[column] = good_value(column, facts["data_type"]) if required or key else None
        insert(connection, {**row, "status": "withheld"})


def test_contract_of_suppression_summary_holds_its_floor(manifest: dict[str, Any]) -> None:
    connection = duckdb.connect()
    node = marts(manifest)["suppression_summary"]
    made_table(connection, node)
    good = {column: good_value(column, facts["data_type"]) for column, facts in node["columns"].items()}
    insert(connection, good)
    with pytest.raises(duckdb.ConstraintException):
        insert(connection, {**good, "n_conversations": 14})


def test_contract_of_reconstruction_refuses_nan_and_few_units(manifest: dict[str, Any]) -> None:
    connection = duckdb.connect()
    node = marts(manifest)["reconstruction"]
    made_table(connection, node)
    good = {column: good_value(column, facts["data_type"]) for column, facts in node["columns"].items()}
    insert(connection, good)
    values = [c for c in good if c.startswith(("n_units_", "correlation_", "mean_squared_"))]
    assert len(values) == 7
    empty = {**good, **dict.fromkeys(values)}
    bad = [{**good, column: None} for column in values]
    bad += [{**good, c: x} for c in values[3:] for x in (float("nan"), float("inf"), -float("inf"))]
    bad += [{**good, c: x} for c in values[3:6] for x in (1.01, -1.01)]
    bad += [{**good, "mean_squared_error": -0.1}, {**good, "n_units_direct": 4, "n_units_clusters": 20}]
    bad += [{**good, **dict.fromkeys(values[:3], 9)}, {**good, "status": "Published"}]
    for status in ("withheld", "not_applicable"):
        bad += [{**empty, "status": status, column: 0} for column in values]
    for row in bad:
        with pytest.raises(duckdb.ConstraintException):
            insert(connection, row)
    for size, status in ((2, "withheld"), (3, "not_applicable")):
        insert(connection, {**empty, "status": status, "mean_cluster_size": size})


def test_a_mart_that_refs_a_private_model_does_not_parse(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    leak = project / "models" / "marts" / "run" / "leak.sql"
    leak.write_text("select * from {{ ref('fct_conversations') }}\n", encoding="utf-8")
    done = run_dbt(tmp_path, "parse", project=project)
    assert done.returncode != 0
    assert "attempted to reference node" in done.stdout and "private_side" in done.stdout


def test_variables_cannot_lower_the_floors(tmp_path: Path) -> None:
    done = run_dbt(tmp_path, "seed", "--select", "skills", "--vars", "{min_conversations: 1}")
    assert done.returncode != 0
    printed = " ".join(done.stdout.split())
    assert "privacy thresholds come from seeds/reference/privacy_policies.csv" in printed


@pytest.mark.slow
def test_a_policy_below_the_floors_or_unknown_stops_the_build(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    unknown = run_dbt(
        tmp_path, "build", "--select", "+wall_policy", "--vars", "{privacy_policy: nobody}", project=project
    )
    assert unknown.returncode != 0
    assert "wall_policy_one_policy_in_force" in unknown.stdout
    policies = project / "seeds" / "reference" / "privacy_policies.csv"
    policies.write_text(policies.read_text(encoding="utf-8").replace(",15,5,", ",10,5,"), encoding="utf-8")
    lowered = run_dbt(tmp_path, "build", "--full-refresh", "--select", "+wall_policy", project=project)
    assert lowered.returncode != 0
    assert "privacy_policies_min_conversations_floor" in lowered.stdout


def test_data_dictionary_is_current() -> None:
    from economic_index.release.dictionary import read_tables, render_dictionary

    tables = read_tables(REPO)
    assert {"task_usage", "wall_public_tasks", "fct_conversations", "skills"} <= {t.name for t in tables}
    current = (REPO / "docs" / "data_dictionary.md").read_text(encoding="utf-8")
    assert render_dictionary(tables) == current, "run `economic-index dictionary` and commit the page"
