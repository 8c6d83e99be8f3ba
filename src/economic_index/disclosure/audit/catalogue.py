"""What a release may hold: tables, keys, columns and the vocabulary of every text column.

This is the auditor's own list. A mart or a column that is not in it is a finding: whoever adds one says here
what it is.
"""

from __future__ import annotations

from dataclasses import dataclass

ACCOUNT_BANDS = frozenset(
    (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000)
)
FLOOR_CONVERSATIONS = 15
FLOOR_ACCOUNTS = 5
STATUSES = frozenset(("published", "withheld", "not_applicable"))
RESULTS = ("status", "n_conversations", "n_support_conversations", "n_accounts_at_least")


@dataclass(frozen=True)
class Mart:
    """One release table.

    Attributes:
        key: columns of the primary key, and the canonical order of its rows.
        columns: every column it may have.
        values: columns that must be null unless the row is published.
        texts: text columns and the vocabularies (``vocabulary.py``) their values come from.
    """

    key: tuple[str, ...]
    columns: frozenset[str]
    values: tuple[str, ...]
    texts: dict[str, tuple[str, ...]]


def _interval(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}{end}" for name in names for end in ("", "_lower", "_upper"))


def _mart(
    key: str,
    *,
    other: str = "",
    shares: tuple[str, ...] = (),
    texts: dict[str, str] | None = None,
    measured: bool = True,
) -> Mart:
    keys = tuple(key.split())
    counts = RESULTS[1:] if measured else ()
    vocabularies = {name: tuple(names.split()) for name, names in (texts or {}).items()}
    vocabularies["release_id"] = ("release_id",)
    if measured:
        vocabularies["status"] = ("statuses",)
    columns = {"release_id", *keys, *other.split(), *shares, *counts, *vocabularies}
    return Mart(keys, frozenset(columns), (*counts, *shares), vocabularies)


_TAXONOMY = {"taxonomy_release": "taxonomy_releases"}
_PATTERN = {
    "pattern_level": "pattern_levels",
    "collaboration_pattern": "patterns",
    "label": "pattern_labels",
    "pattern_group": "pattern_groups",
}
_PATTERN_SHARES = _interval("share_of_all", "share_of_classified_patterns")
_PUBLISHED = _interval("share_of_published_tasks")
# With the residual, which may be shown where no task is published: not a value of the status.
_WITH_RESIDUAL = " ".join(_interval("share_of_classified"))

MARTS: dict[str, Mart] = {
    "task_usage": _mart(
        "task_id",
        other="n_occupations",
        shares=(*_PUBLISHED, *_interval("share_of_classified")),
        texts={**_TAXONOMY, "task": "tasks"},
    ),
    "task_hierarchy_usage": _mart(
        "level node_id",
        other="n_tasks n_tasks_published is_complete",
        shares=_PUBLISHED,
        texts={
            **_TAXONOMY,
            "level_name": "level_names",
            "node_id": "node_ids unattributed",
            "parent_node_id": "node_ids",
            "node_name": "node_names unattributed_labels",
        },
    ),
    "skill_usage": _mart(
        "skill", shares=_interval("share_of_classified"), texts={"skill": "skills", "label": "skill_labels"}
    ),
    "facet_usage": _mart(
        "facet option_id",
        shares=_interval("share_of_classified"),
        texts={
            "facet": "facets",
            "option_id": "options not_attributed",
            "label": "option_labels not_attributed_labels",
            "option_group": "option_groups",
        },
    ),
    "conversation_composition": _mart(
        "facet soc_group option_id",
        shares=_interval("share_of_group"),
        texts={
            "facet": "facets",
            "soc_group": "soc_major_codes soc_groups",
            "soc_group_title": "soc_major_titles soc_group_labels",
            "option_id": "options not_attributed",
            "label": "option_labels not_attributed_labels",
        },
    ),
    "occupation_usage": _mart(
        "onet_soc_code",
        other="job_zone n_tasks n_tasks_published is_complete n_conversations_residual " + _WITH_RESIDUAL,
        shares=_PUBLISHED,
        texts={
            **_TAXONOMY,
            "soc_vintage": "soc_vintages",
            "onet_soc_code": "onet_soc_codes unattributed",
            "title": "occupation_titles unattributed_labels",
            "soc_major_code": "soc_major_codes",
        },
    ),
    "occupation_category_usage": _mart(
        "soc_major_code",
        other="n_occupations n_tasks n_tasks_published is_complete n_conversations_residual "
        f"share_of_us_employment {_WITH_RESIDUAL}",
        shares=(*_PUBLISHED, "ratio_of_usage_to_employment"),
        texts={
            **_TAXONOMY,
            "soc_major_code": "soc_major_codes unattributed",
            "title": "soc_major_titles unattributed_labels",
        },
    ),
    "depth_of_use": _mart(
        "min_percent_of_tasks",
        other="n_occupations_at_least n_occupations share_of_occupations share_of_occupations_lower "
        "share_of_occupations_upper",
        texts={**_TAXONOMY, "status": "statuses"},
        measured=False,
    ),
    "wage_usage": _mart(
        "onet_soc_code",
        other="median_wage_usd is_top_coded wage_quartile is_complete",
        shares=_PUBLISHED,
        texts={
            **_TAXONOMY,
            "onet_soc_code": "onet_soc_codes",
            "title": "occupation_titles",
            "soc_major_code": "soc_major_codes",
        },
    ),
    "wage_band_usage": _mart(
        "wage_band",
        other="n_occupations min_median_wage_usd max_median_wage_usd has_top_coded is_complete",
        shares=_PUBLISHED,
        texts={**_TAXONOMY, "wage_band": "wage_bands unattributed"},
    ),
    "job_zone_usage": _mart(
        "job_zone",
        other="n_occupations is_complete share_of_used_pairs share_of_occupations share_of_us_employment",
        shares=(
            *_interval("share_of_zoned"),
            "ratio_to_used_pairs",
            "ratio_to_occupations",
            "ratio_to_us_employment",
        ),
        texts={
            **_TAXONOMY,
            "job_zone": "job_zones unattributed",
            "name": "job_zone_names unattributed_labels",
        },
    ),
    "usage_by_unit": _mart(
        "soc_major_code",
        shares=(
            "n_accounts_rounded",
            *_interval("share_of_conversations", "share_of_accounts"),
            "correlation_pearson",
            "correlation_spearman",
        ),
        texts={**_TAXONOMY, "soc_major_code": "soc_major_codes", "title": "soc_major_titles"},
    ),
    "collaboration_usage": _mart(
        "pattern_level collaboration_pattern",
        other="position is_complete",
        shares=_PATTERN_SHARES,
        texts=_PATTERN,
    ),
    "task_collaboration_usage": _mart(
        "task_id pattern_level collaboration_pattern",
        other="position is_complete",
        shares=_PATTERN_SHARES,
        texts={**_TAXONOMY, **_PATTERN, "task": "tasks"},
    ),
    "occupation_collaboration_usage": _mart(
        "onet_soc_code pattern_level collaboration_pattern",
        other="position is_complete",
        shares=_PATTERN_SHARES,
        texts={**_TAXONOMY, **_PATTERN, "onet_soc_code": "onet_soc_codes", "title": "occupation_titles"},
    ),
    "category_collaboration_usage": _mart(
        "soc_major_code pattern_level collaboration_pattern",
        other="position is_complete",
        shares=_PATTERN_SHARES,
        texts={**_TAXONOMY, **_PATTERN, "soc_major_code": "soc_major_codes", "title": "soc_major_titles"},
    ),
    "model_usage": _mart(
        "model level node_id",
        shares=_interval("share_of_model"),
        texts={
            **_TAXONOMY,
            "model": "models",
            "model_label": "model_labels",
            "level_name": "level_names",
            "node_id": "node_ids unattributed",
            "node_name": "node_names unattributed_labels",
        },
    ),
    "thinking_usage": _mart(
        "task_id",
        shares=_interval("share_of_task_with_thinking"),
        texts={**_TAXONOMY, "task": "tasks"},
    ),
    "geography_usage": _mart(
        "country_code",
        shares=(*_interval("share_of_classified"), "ratio_of_usage_to_population", "usage_tier"),
        texts={"country_code": "countries", "country_name": "country_names"},
    ),
    "geography_category_usage": _mart(
        "country_code soc_group",
        shares=_interval("share_of_country"),
        texts={
            "country_code": "countries",
            "soc_group": "soc_major_codes soc_groups not_attributed",
            "soc_group_title": "soc_major_titles soc_group_labels not_attributed_labels",
        },
    ),
    "geography_collaboration_usage": _mart(
        "country_code collaboration_pattern",
        shares=_interval("share_of_country"),
        texts={"country_code": "countries", "collaboration_pattern": "patterns", "label": "pattern_labels"},
    ),
    "region_usage": _mart(
        "country_code region_code",
        shares=_interval("share_of_country"),
        texts={"country_code": "countries", "region_code": "regions", "region_name": "region_names"},
    ),
    "reconstruction": _mart(
        "level mean_cluster_size assignment",
        shares=(
            "n_units_direct",
            "n_units_clusters",
            "n_units_both",
            "correlation_pearson",
            "correlation_spearman",
            "correlation_kendall",
            "mean_squared_error",
        ),
        texts={"level": "share_families", "assignment": "assignments", "status": "statuses"},
        measured=False,
    ),
    "design_effects": _mart(
        "family unit",
        other="design_effect_class",
        texts={"family": "share_families", "unit": "share_units", "status": "statuses"},
        measured=False,
    ),
    "validation_accuracy": _mart(
        "item",
        shares=(
            "n_readings_at_least",
            *_interval("acceptable_percent"),
            "agreement_percent",
            "agreement_kappa",
        ),
        texts={"item": "validation_items", "status": "statuses"},
        measured=False,
    ),
    "outcome_totals": _mart(
        "outcome",
        other="position",
        shares=_interval("share_of_published_outcomes"),
        texts={"outcome": "outcomes"},
    ),
    "suppression_summary": _mart(
        "family",
        other="n_cells_published n_cells_withheld n_conversations share_of_classified "
        "share_of_classified_lower "
        "share_of_classified_upper",
        texts={"family": "families"},
        measured=False,
    ),
    "release_manifest": _mart(
        "item", other="position", texts={"item": "manifest_items", "value": "manifest_values"}, measured=False
    ),
    "release_change": _mart(
        "family unit",
        shares=(
            "n_conversations_previous",
            *_interval("share_of_base", "share_of_base_previous", "change_of_share_of_base"),
        ),
        texts={
            "previous_release_id": "release_id",
            "previous_window_start": "manifest_values",
            "previous_window_end": "manifest_values",
            "family": "share_families",
            "unit": "share_units",
            "label": "tasks occupation_titles soc_major_titles pattern_labels",
            "base": "bases",
        },
    ),
    "analysis_metadata": _mart(
        "analysis",
        texts={
            "analysis": "marts",
            "paper_section": "paper_sections",
            "base": "bases",
            "window_start": "manifest_values",
            "window_end": "manifest_values",
            "population": "manifest_values",
            "sample_n": "manifest_values",
        },
    ),
}
