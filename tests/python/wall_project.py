"""Runs the project's own wall and marts on generated facts: a temporary dbt project with the real SQL and
stub facts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

REPO = Path(__file__).resolve().parents[2]

FACT_SCHEMA = pa.schema(
    [
        ("input_row", pa.int64()),
        ("conversation_id", pa.string()),
        ("account_key", pa.string()),
        ("organization_key", pa.string()),
        ("started_at", pa.timestamp("us")),
        ("model", pa.string()),
        ("product", pa.string()),
        ("language", pa.string()),
        ("country_code", pa.string()),
        ("region_code", pa.string()),
        ("is_extended_thinking", pa.bool_()),
        ("outcome", pa.string()),
        ("outcome_reason", pa.string()),
        ("task_id", pa.int64()),
        ("collaboration_pattern", pa.string()),
    ]
)
LABEL_SCHEMA = pa.schema(
    [
        ("conversation_id", pa.string()),
        ("facet", pa.string()),
        ("option_id", pa.string()),
        ("confidence", pa.float64()),
    ]
)

STUBS = {
    "requests/reconstruction_scores.sql": """
select 'task' as level, cast(15 as integer) as mean_cluster_size, 'nearest' as assignment, cast(0 as bigint) as n_units_direct,
    cast(0 as bigint) as n_units_clusters, cast(0 as bigint) as n_units_both, cast(null as double) as correlation_pearson,
    cast(null as double) as correlation_spearman, cast(null as double) as correlation_kendall,
    cast(null as double) as mean_squared_error
""",
    "labelling/run_usage.sql": """
select 'task' as stage, cast(0 as bigint) as n_answers, cast(0 as bigint) as answer_input_tokens,
    cast(0 as bigint) as answer_cached_tokens, cast(0 as bigint) as answer_output_tokens,
    cast(0 as double) as answer_cost_usd
where false
""",
    "earlier/earlier_release_values.sql": """
select '' as release_id, '' as taxonomy_release, '' as window_start, '' as window_end, '' as family, '' as unit,
    '' as status, cast(0 as double) as n_conversations, cast(0 as bigint) as n_support_conversations,
    cast(0 as bigint) as n_accounts_at_least, cast(0 as double) as share_of_base,
    cast(0 as double) as share_of_base_lower, cast(0 as double) as share_of_base_upper
where false
""",
    "requests/validation_readings.sql": """
select 'task' as item, cast(0 as bigint) as n_readings, cast(null as integer) as acceptable_percent,
    cast(null as integer) as acceptable_percent_lower, cast(null as integer) as acceptable_percent_upper,
    cast(0 as bigint) as n_read_twice, cast(null as integer) as agreement_percent,
    cast(null as double) as agreement_kappa
where false
""",
    "requests/design_effect_classes.sql": """
select 'task' as family, 'none' as unit, cast(1 as double) as design_effect_class where false
""",
    "facts/conversation_intake.sql": """
select
    input_row, conversation_id, account_key, organization_key, started_at, model, product, country_code,
    region_code,
    is_extended_thinking as extended_thinking, cast(null as varchar) as content_hash, outcome as
    intake_outcome,
    outcome_reason as intake_reason, {{ env_var('STUB_TEST_ACCOUNTS', 'false') }} as is_test_accounts
from {{ ref('fct_conversations') }}
""",
    "facts/fct_conversations.sql": "select * from read_parquet('{{ env_var(\"STUB_FACTS\") }}')\n",
    "facts/fct_conversation_labels.sql": """
select facts.input_row, labels.*
from read_parquet('{{ env_var("STUB_LABELS") }}') as labels
inner join {{ ref('fct_conversations') }} as facts on labels.conversation_id = facts.conversation_id
""",
    "taxonomy/task_hierarchy_built.sql": """
with groups as (
    select task_id, min(soc_major_code) as g, min(onet_soc_code) as o
    from {{ ref('task_occupations') }} group by task_id
)
select 1 as level, 'top' as level_name, 'top-' || g as node_id, cast(null as varchar) as parent_node_id,
    'top-' || g as top_node_id, 'Group ' || g as name, cast(null as bigint) as task_id,
    cast(count(*) as integer) as n_tasks
from groups group by g
union all
select 2, 'middle', 'mid-' || o, 'top-' || g, 'top-' || g, 'Unit ' || o, null, cast(count(*) as integer) from
groups group by g, o
union all
select 3, 'base', 'base-' || groups.task_id, 'mid-' || o, 'top-' || g, tasks.task, groups.task_id, 1
from groups inner join {{ ref('tasks') }} as tasks on groups.task_id = tasks.task_id
""",
    "rounding/wall_run.sql": """
select
    substr(md5(concat_ws('|', input_digest, fact_digest, label_digest, privacy_policy_text,
        '{{ env_var("STUB_WINDOW", "all|all") }}')), 1, 16) as release_id,
    '0.0' as project_version, taxonomy_release, cast(soc_vintage as varchar) as soc_vintage,
    substr(md5(taxonomy_hash), 1, 16) as taxonomy_hash,
    is_sample_taxonomy, privacy_policy, substr(md5(privacy_policy_text), 1, 16) as privacy_policy_hash,
    'local' as engine, '0123456789abcdef' as engine_identity, 'tree' as strategy, '1' as max_tasks,
    'local' as taxonomy_engine, 'none' as previous_release,
    '{{ env_var("STUB_WINDOW", "all|all").split("|")[0] }}' as window_start,
    '{{ env_var("STUB_WINDOW", "all|all").split("|")[1] }}' as window_end,
    'all' as population, 'all' as sample_n, window_status, is_test_accounts
from {{ ref('wall_run_inputs') }}
""",
}


@dataclass(frozen=True)
class Built:
    """The two databases of one run."""

    private: Path
    candidate: Path
    seeds: Path
    taxonomy: Path


def _strip_tests(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: _strip_tests(v) for k, v in node.items() if k not in ("data_tests", "tests", "unit_tests")}
    if isinstance(node, list):
        return [_strip_tests(item) for item in node]
    return node


def make_project(folder: Path, patch: Path | None = None) -> Path:
    """Copy of the project without engines, sources and tests; the facts are stubs that read Parquet files."""
    project = folder / "project"
    if project.exists():
        shutil.rmtree(project)
    (project / "models").mkdir(parents=True)
    shutil.copytree(REPO / "macros", project / "macros")
    shutil.copytree(REPO / "seeds", project / "seeds", ignore=shutil.ignore_patterns("installed"))
    for part in ("wall", "marts", "reference", "staging/onet", "staging/bls"):
        shutil.copytree(REPO / "models" / part, project / "models" / part)
    shutil.copy(REPO / "models" / "_groups.yml", project / "models" / "_groups.yml")
    (project / "models" / "rounding").mkdir()
    shutil.copy(REPO / "python_models" / "rounding" / "wall_draws.py", project / "models" / "rounding")
    shutil.copytree(REPO / "python_models" / "corrections", project / "models" / "corrections")
    for name, sql in STUBS.items():
        path = project / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sql, encoding="utf-8")
    if patch is not None:
        shutil.copytree(patch, project, dirs_exist_ok=True)
    for path in project.rglob("*.yml"):
        document = _strip_tests(yaml.safe_load(path.read_text(encoding="utf-8")))
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    settings = yaml.safe_load((REPO / "dbt_project.yml").read_text(encoding="utf-8"))
    settings.update({"model-paths": ["models"], "test-paths": ["tests"]})
    settings.pop("data_tests", None)
    # The contracts of the marts are tested where they stand; here the tables are what is wanted.
    settings["models"]["economic_index"]["marts"].pop("+contract", None)
    (project / "dbt_project.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    shutil.copy(REPO / "profiles.yml", project / "profiles.yml")
    return project


def run_wall(
    folder: Path,
    facts: pa.Table,
    labels: pa.Table,
    *,
    taxonomy: Path | None = None,
    window: str = "all|all",
    test_accounts: bool = False,
    models: tuple[str, ...] = ("other",),
    select: str | None = None,
    policy: str = "strict",
    patch: Path | None = None,
    earlier: Path | None = None,
    releases: Path | None = None,
) -> Built:
    """Seed and run the wall and the marts on ``facts`` (FACT_SCHEMA) and ``labels`` (LABEL_SCHEMA).

    ``earlier`` is the warehouse of another build, of which the rounding key and the records kept at publication are
    taken over; ``releases`` the folder of its releases.
    """
    folder.mkdir(parents=True, exist_ok=True)
    project = make_project(folder, patch)
    pq.write_table(facts.cast(FACT_SCHEMA), folder / "facts.parquet")
    pq.write_table(labels.cast(LABEL_SCHEMA), folder / "labels.parquet")
    rows = "".join(f"{name},{name.title()} model\n" for name in models)
    (project / "seeds" / "reference" / "assistant_models.csv").write_text(
        "model,label\n" + rows, encoding="utf-8"
    )
    warehouse = folder / "warehouse"
    shutil.rmtree(warehouse, ignore_errors=True)
    warehouse.mkdir()
    for part in ("keys", "published"):
        if earlier is not None and (earlier / part).is_dir():
            shutil.copytree(earlier / part, warehouse / part)
    environment = {
        **os.environ,
        "ECONOMIC_INDEX_WAREHOUSE": str(warehouse),
        "ECONOMIC_INDEX_PROJECT": str(project),
        "ECONOMIC_INDEX_RELEASES": str(releases or folder / "releases"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
        "STUB_FACTS": str(folder / "facts.parquet"),
        "STUB_LABELS": str(folder / "labels.parquet"),
        "STUB_WINDOW": window,
        "STUB_TEST_ACCOUNTS": "true" if test_accounts else "false",
    }
    if taxonomy is not None:
        # A copy, named relative to the project: dbt writes the run SQL of a seed beside its path, which for
        # an absolute
        # path is the seed file itself.
        shutil.copytree(taxonomy, project / "seeds" / "given")
        environment["ECONOMIC_INDEX_TAXONOMY"] = "seeds/given"
    command = [
        str(Path(sys.executable).parent / "dbt"),
        "build",
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(project),
        "--vars",
        f"{{privacy_policy: {policy}}}",
        "--quiet",
        *(["--select", select] if select else []),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=project, check=False)
    if done.returncode:
        raise AssertionError(done.stdout[-6000:] + done.stderr[-3000:])
    return Built(
        warehouse / "private.duckdb",
        warehouse / "release.duckdb",
        project / "seeds" / "reference",
        project / "seeds" / ("given" if taxonomy is not None else "sample"),
    )


def task_table(taxonomy: Path = REPO / "seeds" / "sample") -> list[tuple[int, str]]:
    """(task_id, occupation) pairs of a taxonomy, task_id as the wall makes it."""
    connection = duckdb.connect()
    rows = connection.execute(
        """
        with s as (
            select lower(trim(regexp_replace(task, '[[:space:]]+', ' ', 'g'))) as k, task_id, onet_soc_code
            from read_csv(?, all_varchar = true)
        )
        select min(cast(task_id as bigint)) over (partition by k), onet_soc_code from s order by 1, 2
        """,
        [str(taxonomy / "onet_task_statements.csv")],
    ).fetchall()
    connection.close()
    return rows
