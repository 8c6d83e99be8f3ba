"""The later long layout: one row per geography, facet, cluster and variable."""

from __future__ import annotations

import re

from economic_index.release.export_flat import PUBLISHED, RESIDUALS

WORLD = "'GLOBAL' as geo_id, 'global' as geography"
COUNTRY = """
    case country_code when 'other' then 'not_classified' else country_code end as geo_id,
    'country' as geography
"""
REGION = """
    case region_code when 'other' then country_code || '_not_classified' else region_code end as geo_id,
    'country-state' as geography
"""
PATTERN = """
    case collaboration_pattern
        when 'not_attributed' then 'not_classified'
        else replace(collaboration_pattern, '_', ' ')
    end
"""
PUBLISHED_PATTERNS = "pattern_level = 'pattern' and status = 'published'"

# not_classified holds what is withheld and what could not be classified, as in the published files.
TASKS = f"""
    select 1 as place, task_name, n_conversations as n from ({PUBLISHED})
    union all
    select 2 as place, 'not_classified' as task_name, sum(n) as n
    from (
        select n_conversations as n from ({RESIDUALS})
        union all
        select n_conversations from marts.outcome_totals
        where outcome in ('unclassified', 'failed') and status = 'published'
    )
    having sum(n) > 0
"""


def long_file(platform: str, window_start: str, window_end: str) -> dict[str, tuple[str, str]]:
    """Name, query and description of the one file of the layout.

    There is no sort over all rows: the marts of a release are in canonical order and the query keeps it,
    so that any number of rows is written in flat memory.

    Args:
        platform: value of ``platform_and_product``.
        window_start: first day, or ``all`` where the release has no bound.
        window_end: the end of the window, likewise.
    """
    start, end = (re.sub(r"[^0-9-]", "", bound[:10]) for bound in (window_start, window_end))
    slug = re.sub(r"[^a-z0-9]+", "_", platform.lower()).strip("_") or "assistant"
    product = platform.replace("'", "''")
    head = f"""
        select
            geo_id, geography, '{start}' as date_start, '{end}' as date_end,
            '{product}' as platform_and_product, facet, cast(0 as integer) as level, variable, cluster_name,
            cast(value as double) as value
    """
    sql = " union all ".join(f"{head} from ({part})" for part in _parts())
    name = f"aei_raw_{slug}_{start or 'all'}_to_{end or 'all'}.csv"
    return {name: (sql, "One row per geography, facet, cluster and variable")}


def _parts() -> list[str]:
    by_task = f"lower(task) || '::' || {PATTERN}"
    crossed = ("onet_task::collaboration", "onet_task_collaboration")
    categories = f"""
        select
            {WORLD}, 'soc_occupation' as facet, 'soc_pct' as variable, title as cluster_name,
            100 * share_of_published_tasks as value
        from marts.occupation_category_usage
        where status = 'published' and soc_major_code <> 'unattributed'
    """
    return [
        *_tasks(),
        *_mart("collaboration_usage", "collaboration", "collaboration", WORLD, PATTERN, PUBLISHED_PATTERNS),
        *_mart("task_collaboration_usage", *crossed, WORLD, by_task, PUBLISHED_PATTERNS),
        categories,
        *_mart(
            "geography_usage",
            "country",
            "usage",
            COUNTRY,
            "''",
            "status = 'published'",
            "share_of_classified",
        ),
        *_mart(
            "region_usage",
            "country-state",
            "usage",
            REGION,
            "''",
            "status = 'published'",
            "share_of_country",
        ),
        *_mart(
            "geography_collaboration_usage",
            "collaboration",
            "collaboration",
            COUNTRY,
            PATTERN,
            "status = 'published'",
            "share_of_country",
        ),
    ]


def _tasks() -> list[str]:
    values = {"count": "n", "pct": "100 * cast(n as double) / sum(n) over ()"}
    return [
        f"""
        select {WORLD}, 'onet_task' as facet, 'onet_task_{kind}' as variable, task_name as cluster_name,
        {value} as value from ({TASKS})
        order by place, task_name
        """
        for kind, value in values.items()
    ]


def _mart(
    mart: str, facet: str, variable: str, place: str, cluster: str, where: str, share: str = "share_of_all"
) -> list[str]:
    values = {"count": "n_conversations", "pct": f"100 * {share}"}
    return [
        f"""
        select {place}, '{facet}' as facet, '{variable}_{kind}' as variable, {cluster} as cluster_name,
        {value} as value from marts.{mart}
        where {where}
        """
        for kind, value in values.items()
    ]
