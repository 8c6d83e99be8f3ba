"""Structure, floors and vocabularies: attacks A5, A8, A12 and everything that must not be in a release
file."""

from __future__ import annotations

import math
import re
from typing import Any

import duckdb
import pyarrow as pa

from economic_index.disclosure.audit.catalogue import (
    ACCOUNT_BANDS,
    FLOOR_ACCOUNTS,
    FLOOR_CONVERSATIONS,
    MARTS,
    STATUSES,
    Mart,
)
from economic_index.disclosure.audit.findings import Collector
from economic_index.disclosure.audit.reference import texts
from economic_index.disclosure.audit.release import Release

FEWEST_READINGS = 100
TABLES_THAT_MAY_BE_EMPTY = frozenset(
    (
        "facet_usage",
        # A taxonomy that was installed without wages has none.
        "wage_usage",
        "task_collaboration_usage",
        "thinking_usage",
        "occupation_collaboration_usage",
        "category_collaboration_usage",
        "geography_category_usage",
        "geography_collaboration_usage",
        "region_usage",
        "reconstruction",
        "design_effects",
        "validation_accuracy",
        "release_change",
    )
)
# A node name is made of the words of public task texts: nothing that looks like an address, a number or a
# link.
_NAME_SHAPE = re.compile(r"(?!.*(@|://|\d{5,}))[^\x00-\x1f]{1,160}")
_SHAPES = {
    "release_id": re.compile(r"[0-9a-f]{16}"),
    "manifest_values": re.compile(
        r"[0-9a-f]{16}|chosen:[0-9a-f]{8}|sample|all|true|false|\d{1,12}|\d+\.\d+(\.\d+)?([a-z]+\d+)?"
        r"|\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?(Z|\+00(:?00)?)?"
    ),
    "node_ids": re.compile(r"[A-Za-z0-9_.|:-]{1,64}"),
    "node_names": _NAME_SHAPE,
    "share_units": re.compile(r"[a-z_]{1,20}|\d{1,10}|\d{2}-\d{4}\.\d{2}"),
    "validation_items": re.compile(r"[a-z_]{1,30}"),
    "level_names": re.compile(r"all|top|middle|base|level_\d+"),
    "paper_sections": re.compile(r"[A-G0-9](\.\d+)*"),
}
_LITERALS = {
    "statuses": STATUSES,
    "unattributed": {"unattributed"},
    "unattributed_labels": {"Unattributed"},
    "not_attributed": {"not_attributed"},
    "not_attributed_labels": {"Not attributed"},
    "soc_groups": {"all", "several"},
    "soc_group_labels": {"All groups", "Tasks of several groups"},
    "wage_bands": {"1", "2", "3", "4", "no_wage"},
    "pattern_levels": {"pattern", "group"},
    "outcomes": {
        "quarantined",
        "duplicate",
        "safety_filtered",
        "screened_out",
        "none",
        "unclassified",
        "failed",
        "other",
        "classified",
    },
    "families": {
        "tasks",
        "task_patterns",
        "task_models",
        "task_thinking",
        "facets",
        "composition",
        "occupation_residuals",
        "soc_major_group_residuals",
        "global_residual",
        "outcomes",
        "geography_categories",
        "geography_patterns",
        "regions",
    },
    "manifest_items": {
        "project_version",
        "taxonomy_release",
        "soc_vintage",
        "taxonomy_hash",
        "privacy_policy",
        "privacy_policy_hash",
        "engine",
        "engine_identity",
        "strategy",
        "window_start",
        "window_end",
        "population",
        "sample_n",
        "window_status",
        "is_test_accounts",
        "is_sample_taxonomy",
        "max_tasks",
        "taxonomy_engine",
        "previous_release",
        "usage_calls",
        "usage_input_tokens",
        "usage_output_tokens",
        "usage_cost_usd",
    },
    "bases": {"published_tasks", "classified", "classified_patterns"},
    "share_families": {"task", "occupation", "soc_major_group", "collaboration_pattern"},
    "assignments": {"nearest", "majority", "several_tasks"},
    "engines": {"local", "anthropic", "replay"},
    "strategies": {"tree", "shortlist", "compact", "dwa"},
    "window_statuses": {"published", "withheld"},
    "no_release": {"none"},
}


def vocabularies(reference: duckdb.DuckDBPyConnection) -> dict[str, frozenset[str]]:
    """Every closed vocabulary, from the public seeds and from the method."""
    queries = {
        "taxonomy_releases": "select taxonomy_release from ref_taxonomy_release",
        "soc_vintages": "select soc_vintage from ref_taxonomy_release",
        "tasks": "select task from ref_task_texts",
        "onet_soc_codes": "select onet_soc_code from ref_onet_occupations",
        "occupation_titles": "select title from ref_onet_occupations",
        # Military occupations have a group of their own in O*NET but none in the employment table.
        "soc_major_codes": "select soc_major_code from ref_soc_major_groups union "
        "select substr(onet_soc_code, 1, 2) from ref_onet_occupations",
        "soc_major_titles": "select title from ref_soc_major_groups",
        "skills": "select skill from ref_skills",
        "skill_labels": "select label from ref_skills",
        "facets": "select facet from ref_facets",
        "options": "select option_id from ref_facet_options",
        "option_labels": "select label from ref_facet_options",
        "option_groups": "select option_group from ref_facet_options",
        "job_zones": "select job_zone from ref_job_zones union all select 'no_zone'",
        "job_zone_names": "select name from ref_job_zones union all select 'No job zone'",
        "models": "select model from ref_assistant_models",
        "model_labels": "select label from ref_assistant_models",
        "patterns": "select pattern from ref_collaboration_patterns union all select pattern_group from "
        "ref_collaboration_patterns union all select 'not_attributed'",
        "pattern_labels": "select label from ref_collaboration_patterns "
        "union all values ('Not attributed'), ('Automation'), ('Augmentation')",
        "pattern_groups": "select pattern_group from ref_collaboration_patterns union all select "
        "'not_attributed'",
        "countries": "select country_code from ref_countries union all select 'other'",
        "regions": "select region_code from ref_regions union all select 'other'",
        "region_names": "select region_name from ref_regions union all select 'Other regions'",
        "country_names": "select country_name from ref_countries union all select 'Other countries'",
        "node_ids": "select node_id from ref_nodes union all select 'all'",
        "node_names": "select name from ref_nodes union all select 'All conversations'",
        "policies": "select policy from ref_privacy_policies",
    }
    found = {name: texts(reference, sql) for name, sql in queries.items()}
    found |= {name: frozenset(values) for name, values in _LITERALS.items()}
    found["marts"] = frozenset(MARTS)
    found["manifest_values"] = frozenset().union(
        *(
            found[n]
            for n in (
                "taxonomy_releases",
                "soc_vintages",
                "policies",
                "engines",
                "strategies",
                "window_statuses",
                "no_release",
            )
        )
    )
    return found


def check_structure(release: Release, found: Collector) -> None:
    """Only known tables and columns of plain types, complete unique keys, one release id, no other
    objects.
    """
    for kind, name in release.strangers:
        found.add(
            "structure",
            "A13",
            "file",
            name,
            f"The release holds a {kind}; only tables of schema marts belong in it.",
        )
    for name in sorted(set(MARTS) - set(release.tables)):
        found.add(
            "structure", "A12", name, "*", "The table is missing; a release has every mart, empty or not."
        )
    ids: set[object] = set()
    for name, table in release.tables.items():
        mart = MARTS.get(name)
        if mart is None:
            found.add(
                "structure",
                "A12",
                name,
                "*",
                "The auditor's catalogue does not know this table; nothing of it was checked.",
            )
            continue
        for column in sorted(set(table.column_names) - mart.columns):
            found.add("structure", "A12", name, column, "The auditor's catalogue does not know this column.")
        for column in table.schema:
            if not _is_plain(column.type):
                found.add(
                    "structure",
                    "A12",
                    name,
                    column.name,
                    f"The column has the type {column.type}; a release has plain values only.",
                )
        missing = sorted((set(mart.key) | set(mart.values) | set(mart.texts)) - set(table.column_names))
        if missing:
            found.add("structure", "A5", name, missing[0], "A column that every release has is missing.")
            continue
        _check_key(name, mart, table, found)
        if table.num_rows == 0 and name not in TABLES_THAT_MAY_BE_EMPTY:
            found.add(
                "structure", "A5", name, "*", "The table has no row; withheld cells are rows with a status."
            )
        ids |= set(table["release_id"].to_pylist())
    if len(ids) > 1:
        found.add(
            "structure",
            "A3",
            "release_id",
            "*",
            f"The tables carry {len(ids)} release ids; a release has one.",
        )


def _is_plain(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_float64(kind)
        or pa.types.is_int64(kind)
        or pa.types.is_int32(kind)
    )


def _check_key(name: str, mart: Mart, table: pa.Table, found: Collector) -> None:
    keys = list(zip(*(table[column].to_pylist() for column in mart.key), strict=True))
    if len(set(keys)) != len(keys):
        found.add(
            "structure",
            "A2",
            name,
            "*",
            f"{len(keys) - len(set(keys))} rows repeat a key; sums over the table would be wrong.",
        )
    if any(part is None for key in keys for part in key):
        found.add("structure", "A5", name, "*", "A column of the primary key is null.")


def cell_name(row: dict[str, Any], mart: Mart) -> str:
    """Key of a row as text; keys that are no closed vocabulary are never shown for text columns out of
    vocabulary.
    """
    return "|".join(str(row[column]) for column in mart.key)


def check_floors(release: Release, found: Collector) -> None:
    """Published: every count there, at least 15 conversations and 5 accounts. Not published: no value at
    all.
    """
    taskless = without_tasks(release)
    for name, table in release.tables.items():
        mart = MARTS.get(name)
        if mart is None or not (set(mart.values) | set(mart.texts) | set(mart.key)) <= set(
            table.column_names
        ):
            continue
        _check_finite(name, mart, table, found)
        if "status" not in mart.columns:
            if name == "suppression_summary":
                _check_summary(table, found)
            continue
        empty = taskless | other_taxonomy(name, table)
        for position, row in enumerate(table.to_pylist()):
            fault = _fault(row, mart, empty)
            if fault:
                found.add("floors", "A5", name, f"row {position + 1}", fault)


def without_tasks(release: Release) -> frozenset[tuple[str, str]]:
    """(column, code) of occupations and groups that no task of the taxonomy belongs to, by the release itself."""
    found: set[tuple[str, str]] = set()
    for name, column in (
        ("occupation_usage", "onet_soc_code"),
        ("occupation_category_usage", "soc_major_code"),
    ):
        table = release.tables.get(name)
        if table is not None and {column, "n_tasks"} <= set(table.column_names):
            pairs = zip(table[column].to_pylist(), table["n_tasks"].to_pylist(), strict=True)
            found |= {(column, str(code)) for code, n_tasks in pairs if n_tasks == 0}
    return frozenset(found)


def other_taxonomy(name: str, table: pa.Table) -> frozenset[tuple[str, str]]:
    """(family, unit) of ``release_change`` where the earlier release stands on another taxonomy: all units or none."""
    if name != "release_change":
        return frozenset()
    rows = [row for row in table.to_pylist() if row["family"] != "collaboration_pattern"]
    if any(row["status"] != "not_applicable" for row in rows):
        return frozenset()
    return frozenset((str(row["family"]), str(row["unit"])) for row in rows)


def _is_without_tasks(row: dict[str, Any], empty: frozenset[tuple[str, str]]) -> bool:
    if row.get("n_tasks") == 0:
        return True
    codes = {(column, str(row[column])) for column in ("onet_soc_code", "soc_major_code") if column in row}
    if "family" in row and "unit" in row:
        column = {"occupation": "onet_soc_code", "soc_major_group": "soc_major_code"}.get(
            str(row["family"]), ""
        )
        codes = {(column, str(row["unit"])), (str(row["family"]), str(row["unit"]))}
    # A group without tasks has only occupations without tasks: the narrower code decides where both are there.
    return bool(codes & empty)


def _fault(row: dict[str, Any], mart: Mart, empty: frozenset[tuple[str, str]]) -> str | None:
    status = row["status"]
    if "n_conversations" not in mart.columns:
        return _fault_without_counts(row, mart)
    count, support = row["n_conversations"], row["n_support_conversations"]
    accounts = row["n_accounts_at_least"]
    residual = row.get("n_conversations_residual")
    if residual is not None and residual < FLOOR_CONVERSATIONS:
        return "A residual below 15 conversations is shown."
    if status not in STATUSES:
        return "The status is none of published, withheld, not_applicable."
    if status == "not_applicable" and not _is_without_tasks(row, empty):
        return "The row is not_applicable, which only units without a single task are: it tells unused from withheld."
    if status != "published":
        shown = [column for column in mart.values if row[column] is not None]
        return f"The row is {status} but {shown[0]} has a value." if shown else None
    if count is None or support is None or accounts is None:
        return "The row is published without all of its counts."
    if support < FLOOR_CONVERSATIONS:
        return "The row is published with fewer than 15 conversations."
    if accounts < FLOOR_ACCOUNTS:
        return "The row is published with fewer than 5 accounts."
    if accounts not in ACCOUNT_BANDS:
        return "The account count is not the lower end of a band: exact counts show overlaps (attack A8)."
    if not count > 0 or count > support:
        return "The count is not above zero or is above the conversations it rests on."
    if isinstance(count, int) and (count % 5 or support % 5):
        return "The count is not a multiple of the rounding base 5."
    return None


def _fault_without_counts(row: dict[str, Any], mart: Mart) -> str | None:
    """Rows that are released under an exception: no counts of conversations, a floor of their own (DESIGN,
    9).
    """
    status = row["status"]
    if status not in STATUSES:
        return "The status is none of published, withheld, not_applicable."
    shown = [column for column in mart.values if row[column] is not None]
    if status != "published" and shown:
        return f"The row is {status} but {shown[0]} has a value."
    if status == "published" and (row.get("n_readings_at_least") or FEWEST_READINGS) < FEWEST_READINGS:
        return "A validation share rests on fewer than 100 readings."
    return None


def _check_finite(name: str, mart: Mart, table: pa.Table, found: Collector) -> None:
    for column in table.schema:
        if pa.types.is_float64(column.type):
            bad = sum(
                1
                for value in table[column.name].to_pylist()
                if value is not None and not math.isfinite(value)
            )
            if bad:
                found.add("floors", "A5", name, column.name, f"{bad} values are not finite numbers.")


def _check_summary(table: pa.Table, found: Collector) -> None:
    for row in table.to_pylist():
        count = row["n_conversations"]
        if count is not None and (count < FLOOR_CONVERSATIONS or count % 5):
            found.add(
                "floors",
                "A5",
                "suppression_summary",
                row["family"],
                "A sum below 15 or off the rounding base is shown.",
            )


def check_vocabulary(release: Release, reference: duckdb.DuckDBPyConnection, found: Collector) -> int:
    """Every text value belongs to the vocabularies of its column; returns how many values were looked up."""
    known = vocabularies(reference)
    has_nodes = len(known["node_ids"]) > 1
    looked_up = 0
    for name, table in release.tables.items():
        mart = MARTS.get(name)
        for column in table.schema:
            if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
                continue
            allowed = mart.texts.get(column.name) if mart else None
            values = table[column.name].to_pylist()
            looked_up += len(values)
            if allowed is None:
                found.add(
                    "vocabulary",
                    "A12",
                    name,
                    column.name,
                    "The text column has no vocabulary in the auditor's catalogue.",
                )
                continue
            words = frozenset().union(*(known.get(vocabulary, frozenset()) for vocabulary in allowed))
            shapes = [
                _SHAPES[vocabulary]
                for vocabulary in allowed
                if vocabulary in _SHAPES and not (has_nodes and vocabulary in ("node_ids", "node_names"))
            ]
            bad = [
                position
                for position, value in enumerate(values)
                if value is not None
                and value not in words
                and not any(shape.fullmatch(value) for shape in shapes)
            ]
            if bad:
                found.add(
                    "vocabulary",
                    "A12",
                    name,
                    column.name,
                    f"{len(bad)} values are in none of the vocabularies {', '.join(allowed)}; the first is "
                    f"in row {bad[0] + 1}.",
                )
    _check_pairs(release, reference, found)
    return looked_up


def _check_pairs(release: Release, reference: duckdb.DuckDBPyConnection, found: Collector) -> None:
    """Ids and names belong together: a task's text, an occupation's title, a node's name."""
    pairs = {
        ("task_usage", "task_id", "task"): "select cast(task_id as varchar), task from ref_task_texts",
        (
            "task_collaboration_usage",
            "task_id",
            "task",
        ): "select cast(task_id as varchar), task from ref_task_texts",
        ("thinking_usage", "task_id", "task"): "select cast(task_id as varchar), task from ref_task_texts",
        (
            "occupation_usage",
            "onet_soc_code",
            "title",
        ): "select onet_soc_code, title from ref_onet_occupations",
        ("wage_usage", "onet_soc_code", "title"): "select onet_soc_code, title from ref_onet_occupations",
        (
            "occupation_collaboration_usage",
            "onet_soc_code",
            "title",
        ): "select onet_soc_code, title from ref_onet_occupations",
        (
            "occupation_category_usage",
            "soc_major_code",
            "title",
        ): "select soc_major_code, title from ref_soc_major_groups",
    }
    for (name, key, label), sql in pairs.items():
        table = release.tables.get(name)
        if table is None or not {key, label} <= set(table.column_names):
            continue
        known = {(str(k), str(v)) for k, v in reference.execute(sql).fetchall()} | {
            ("unattributed", "Unattributed")
        }
        shown = zip(table[key].to_pylist(), table[label].to_pylist(), strict=True)
        bad = sum(1 for pair in shown if (str(pair[0]), str(pair[1])) not in known)
        if bad:
            found.add(
                "vocabulary",
                "A12",
                name,
                label,
                f"{bad} rows have a text that does not belong to their {key}.",
            )
    _check_nodes(release, found)


def _check_nodes(release: Release, found: Collector) -> None:
    nodes, models = release.tables.get("task_hierarchy_usage"), release.tables.get("model_usage")
    wanted = {"level", "node_id", "node_name"}
    if (
        nodes is None
        or models is None
        or not (wanted <= set(nodes.column_names) and wanted <= set(models.column_names))
    ):
        return
    listed = [
        set(zip(*(t[c].to_pylist() for c in ("level", "node_id", "node_name")), strict=True))
        for t in (nodes, models)
    ]
    listed[0] |= {(0, "all", "All conversations"), (0, "unattributed", "Unattributed")}
    stray = len(listed[1] - listed[0])
    if stray:
        found.add(
            "vocabulary",
            "A12",
            "model_usage",
            "node_name",
            f"{stray} nodes are not those of task_hierarchy_usage.",
        )
