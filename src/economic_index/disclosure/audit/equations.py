"""Every equation of the release, worked out again from its leaves: attacks A1, A4 and A9.

The leaves are task x pattern cells, residuals, rests, outcomes; everything else must be a function of them
and of the public reference data. A roll-up that was counted from the facts, a share with digits of its own,
a residual or a complement below the floor shows here.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from economic_index.disclosure.audit.catalogue import FLOOR_CONVERSATIONS, MARTS
from economic_index.disclosure.audit.findings import Collector
from economic_index.disclosure.audit.release import Release

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Equation:
    """``sql`` returns (cell, expected, shown); the two must agree, nulls included."""

    family: str
    says: str
    sql: str


_CLASSIFIED = "(select n_conversations from outcome_totals where outcome = 'classified')"
_WITH_RESIDUAL = (
    "case when coalesce(n_conversations, n_conversations_residual) is not null "
    "then coalesce(n_conversations, 0) + coalesce(n_conversations_residual, 0) end"
)
_PUBLISHED_TASKS = "(select sum(n_conversations) from task_usage)"
_RESIDUALS = """
    select 'occupation' as residual_level, onet_soc_code as unit, n_conversations_residual as n
    from occupation_usage where onet_soc_code <> 'unattributed' and n_conversations_residual is not null
"""
# The SOC residual is never shown as such: it is what is left of a group's residuals without its occupations'.
_SOC_RESIDUALS = f"""
    select c.soc_major_code as unit, c.n_conversations_residual - coalesce(sum(o.n), 0) as n
    from occupation_category_usage as c
    left join ({_RESIDUALS}) as o on substr(o.unit, 1, 2) = c.soc_major_code
    where c.soc_major_code <> 'unattributed' and c.n_conversations_residual is not null
    group by c.soc_major_code, c.n_conversations_residual
"""
_GLOBAL = "(select n_conversations from occupation_category_usage where soc_major_code = 'unattributed')"
_UNATTRIBUTED = f"""(
    select nullif(coalesce(sum(n), 0) + coalesce({_GLOBAL}, 0), 0)
    from (select n from ({_RESIDUALS}) union all select n from ({_SOC_RESIDUALS})) as parts
)"""


def _allocated(table: str, unit: str, unit_sql: str) -> list[Equation]:
    """A roll-up of tasks to units: exact allocation of published tasks, each of n holders gets 1/n."""
    weights = f"""
        select u.{unit} as unit, h.task_id, count(*) / max(h.n_holders) as weight, count(*) as n_pairs
        from ref_holders as h inner join ({unit_sql}) as u on h.onet_soc_code = u.onet_soc_code group by 1, 2
    """
    counted = f"""
        select w.unit, sum(t.n_conversations * w.weight) as n, sum(t.n_support_conversations) as support,
            max(t.n_accounts_at_least) as accounts, count(*) as n_tasks, count(t.n_conversations) as
            n_published
        from ({weights}) as w inner join task_usage as t on w.task_id = t.task_id group by 1
    """
    rows = (
        f"from {table} as m left join ({counted}) as c on m.{unit} = c.unit where m.{unit} <> 'unattributed'"
    )
    return [
        Equation(
            table,
            "count = published tasks, each divided among its holders",
            f"select m.{unit}, c.n, m.n_conversations {rows}",
        ),
        Equation(
            table,
            "support = published tasks in full",
            f"select m.{unit}, c.support, m.n_support_conversations {rows}",
        ),
        Equation(
            table,
            "account band = that of the largest task",
            f"select m.{unit}, c.accounts, m.n_accounts_at_least {rows}",
        ),
    ]


def _patterns(table: str, unit: str | None) -> list[Equation]:
    """Groups of patterns are sums of published patterns; shares have the two documented bases."""
    name = f"{unit} || '|' || collaboration_pattern" if unit else "collaboration_pattern"
    over = f"over (partition by {unit})" if unit else "over ()"
    five = "pattern_level = 'pattern' and pattern_group in ('automation', 'augmentation')"
    groups = f"""
        with m as (select {unit or "'all'"} as unit_, * from {table})
        select g.unit_ || '|' || g.collaboration_pattern, p.n, g.n_conversations
        from m as g
        inner join (
            select unit_, pattern_group, sum(n_conversations) as n
            from m where {five} group by 1, 2
        ) as p on g.unit_ = p.unit_ and g.collaboration_pattern = p.pattern_group
        where g.pattern_level = 'group'"""
    all_base = f"sum(n_conversations) filter (where pattern_level = 'pattern') {over}"
    open_base = f"sum(case when collaboration_pattern = 'not_attributed' then n_conversations end) {over}"
    five_base = f"sum(n_conversations) filter (where {five}) {over}"
    return [
        Equation(table, "a group of patterns is the sum of its published patterns", groups),
        *_share(table, name, "share_of_all", all_base),
        # Not given where more than a fifth of the unit is attributed to no pattern.
        *_share(
            table,
            name,
            "share_of_classified_patterns",
            five_base,
            where=f"pattern_group in ('automation', 'augmentation') and 5 * coalesce({open_base}, 0) <= "
            f"{all_base}",
        ),
    ]


def _share(
    table: str,
    cell: str,
    share: str,
    base: str,
    part: str = "n_conversations",
    where: str = "true",
    interval: bool = True,
) -> list[Equation]:
    """A share and its Wilson interval from released counts (attack A4); null where ``where`` does not
    hold.
    """
    p, n, z2 = "(part / base)", "base", "3.841458820694124"
    centre = f"({p} + {z2} / 2 / {n})"
    spread = f"(1.959963984540054 * sqrt(greatest(0.0, {p} * (1 - {p}) / {n} + {z2} / 4 / ({n} * {n}))))"
    known = "when part is not null and base is not null then"
    expected = {share: p}
    if interval:
        expected[f"{share}_lower"] = (
            f"case {known} greatest(0.0, ({centre} - {spread}) / (1 + {z2} / {n})) end"
        )
        expected[f"{share}_upper"] = f"case {known} least(1.0, ({centre} + {spread}) / (1 + {z2} / {n})) end"
    source = (
        f"select *, {cell} as cell_, case when {where} then cast({part} as double) end as part, "
        f"nullif(cast({base} as double), 0) as base from {table}"
    )
    return [
        Equation(
            table,
            f"{column} = released part / released base",
            f"select cell_, {value}, {column} from ({source})",
        )
        for column, value in expected.items()
    ]


def _changes() -> list[Equation]:
    """This release's side of ``release_change`` stands in its own tables, and a change is a difference."""
    present = """
        select 'task' as family, cast(task_id as varchar) as unit, n_conversations as n,
            share_of_published_tasks as share
        from task_usage
        union all
        select 'occupation', onet_soc_code, n_conversations, share_of_published_tasks from occupation_usage
        union all
        select 'soc_major_group', soc_major_code, n_conversations, share_of_published_tasks
        from occupation_category_usage
        union all
        select 'collaboration_pattern', collaboration_pattern, n_conversations, share_of_classified_patterns
        from collaboration_usage
    """
    rows = f"""
        from release_change as c
        left join ({present}) as p on c.family = p.family and c.unit = p.unit
        where c.status = 'published'"""
    cell = "c.family || '|' || c.unit"
    return [
        Equation("release_change", "count of this release", f"select {cell}, p.n, c.n_conversations {rows}"),
        Equation(
            "release_change", "share of this release", f"select {cell}, p.share, c.share_of_base {rows}"
        ),
        Equation(
            "release_change",
            "change = share less earlier share",
            f"select {cell}, p.share - c.share_of_base_previous, c.change_of_share_of_base {rows}",
        ),
    ]


def _collaboration_of_unit(table: str, unit: str, unit_sql: str) -> Equation:
    return Equation(
        table,
        "count = published task cells, each divided among its holders",
        f"""
        select w.unit || '|' || t.collaboration_pattern, sum(t.n_conversations * w.weight),
        max(m.n_conversations)
        from (
            select u.{unit} as unit, h.task_id, count(*) / max(h.n_holders) as weight
            from ref_holders as h inner join ({unit_sql}) as u on h.onet_soc_code = u.onet_soc_code group by
            1, 2
        ) as w
        inner join task_collaboration_usage as t on w.task_id = t.task_id and t.pattern_level = 'pattern'
        full join (select * from {table} where pattern_level = 'pattern') as m
            on w.unit = m.{unit} and t.collaboration_pattern = m.collaboration_pattern
        group by w.unit, t.collaboration_pattern
        """,
    )


def equations() -> list[Equation]:
    """All equations; each needs only tables of ``MARTS`` and ``ref_*``."""
    occupations = "select onet_soc_code from ref_onet_occupations"
    groups = "select onet_soc_code, substr(onet_soc_code, 1, 2) as soc_major_code from ref_onet_occupations"
    zones = (
        "select onet_soc_code, coalesce(cast(job_zone as varchar), 'no_zone') as job_zone from "
        "occupation_usage "
        "where onet_soc_code <> 'unattributed'"
    )
    bands = (
        "select o.onet_soc_code, coalesce(cast(w.wage_quartile as varchar), 'no_wage') as wage_band "
        "from occupation_usage as o left join wage_usage as w on o.onet_soc_code = w.onet_soc_code "
        "where o.onet_soc_code <> 'unattributed'"
    )
    task_cells = "select * from task_collaboration_usage where pattern_level = 'pattern'"
    listed = [
        Equation(
            "task_usage",
            "the task is the sum of its patterns",
            f"""
            select t.task_id, c.n, t.n_conversations from task_usage as t
            left join (select task_id, sum(n_conversations) as n from ({task_cells}) group by 1) as c on
            t.task_id = c.task_id""",
        ),
        Equation(
            "task_usage",
            "the taxonomy's tasks, all of them, with their holders",
            """
            select coalesce(t.task_id, r.task_id), r.n_occupations, t.n_occupations
            from ref_tasks as r full join task_usage as t on t.task_id = r.task_id""",
        ),
        Equation(
            "task_usage",
            "support is the count",
            "select task_id, n_conversations, n_support_conversations from task_usage",
        ),
        Equation(
            "outcome_totals",
            "classified = published tasks + all residuals",
            f"""
            select 'classified', nullif(coalesce({_PUBLISHED_TASKS}, 0) + coalesce({_UNATTRIBUTED}, 0), 0),
            {_CLASSIFIED}""",
        ),
        Equation(
            "occupation_usage",
            "unattributed = residuals of SOC groups + global residual",
            f"""
            select 'unattributed', nullif((select coalesce(sum(n), 0) from ({_SOC_RESIDUALS})) +
            coalesce({_GLOBAL}, 0), 0),
                (select n_conversations from occupation_usage where onet_soc_code = 'unattributed')""",
        ),
        *[
            Equation(
                "occupation_usage",
                says,
                f"""
                select o.onet_soc_code, {expected}, o.{column} from occupation_usage as o
                left join (
                    select h.onet_soc_code, count(*) as n_tasks, count(t.n_conversations) as n_published,
                        count(*) filter (where h.n_holders > 1 and t.n_conversations is null) as n_shared_withheld
                    from ref_holders as h inner join task_usage as t on h.task_id = t.task_id group by 1
                ) as r on o.onet_soc_code = r.onet_soc_code where o.onet_soc_code <> 'unattributed'""",
            )
            for says, column, expected in (
                ("the occupation's tasks, all of them", "n_tasks", "coalesce(r.n_tasks, 0)"),
                ("the occupation's published tasks", "n_tasks_published", "coalesce(r.n_published, 0)"),
                (
                    "complete where nothing of the occupation stands elsewhere",
                    "is_complete",
                    "coalesce((o.n_conversations_residual is not null or r.n_tasks = r.n_published) and "
                    "r.n_shared_withheld = 0, false)",
                ),
            )
        ],
        *_allocated("occupation_usage", "onet_soc_code", occupations),
        *_allocated("occupation_category_usage", "soc_major_code", groups),
        *_allocated("job_zone_usage", "job_zone", zones),
        *_allocated("wage_band_usage", "wage_band", bands),
        Equation(
            "wage_usage",
            "the row is that of occupation_usage",
            """
            select w.onet_soc_code, o.n_conversations, w.n_conversations
            from wage_usage as w left join occupation_usage as o on w.onet_soc_code = o.onet_soc_code""",
        ),
        *[
            Equation(
                table,
                "unattributed = all residuals",
                f"""
                select 'unattributed', {_UNATTRIBUTED}, (select max(n_conversations) from {table} where {key}
                = 'unattributed')""",
            )
            for table, key in (
                ("job_zone_usage", "job_zone"),
                ("wage_band_usage", "wage_band"),
                ("task_hierarchy_usage", "node_id"),
            )
        ],
        Equation(
            "task_hierarchy_usage",
            "a node is the sum of its children",
            """
            select p.node_id, c.n, p.n_conversations from task_hierarchy_usage as p
            inner join (
                select parent_node_id, sum(n_conversations) as n from task_hierarchy_usage
                where parent_node_id is not null group by 1
            ) as c on p.node_id = c.parent_node_id""",
        ),
        Equation(
            "task_hierarchy_usage",
            "every level sums to the published tasks",
            f"""
            select 'level ' || level, {_PUBLISHED_TASKS}, sum(n_conversations) from task_hierarchy_usage
            where node_id <> 'unattributed' group by level""",
        ),
        Equation(
            "task_hierarchy_usage",
            "the levels count every published task",
            """
            select 'level ' || level, (select count(n_conversations) from task_usage), sum(n_tasks_published)
            from task_hierarchy_usage where node_id <> 'unattributed' group by level""",
        ),
        Equation(
            "model_usage",
            "all conversations of a model = its nodes + its rest",
            """
            select a.model, nullif(coalesce(n.n, 0) + coalesce(r.n_conversations, 0), 0), a.n_conversations
            from model_usage as a
            left join (
                select model, sum(n_conversations) as n from model_usage
                where level = (select min(level) from model_usage where level > 0) group by 1
            ) as n on a.model = n.model
            left join model_usage as r on a.model = r.model and r.node_id = 'unattributed'
            where a.node_id = 'all'""",
        ),
        Equation(
            "model_usage",
            "every level of a model sums to the same",
            """
            select model || '|level ' || level, first_value(n) over (partition by model order by level), n
            from (select model, level, sum(n_conversations) as n from model_usage where level > 0 group by 1,
            2)""",
        ),
        _collaboration_of_unit("occupation_collaboration_usage", "onet_soc_code", occupations),
        *_changes(),
        Equation(
            "depth_of_use",
            "occupations with enough published tasks",
            """
            select
                d.min_percent_of_tasks,
                case when any_value(m.value) = 'published' then sum(
                    case when o.n_tasks > 0 and o.p * 100 >= d.min_percent_of_tasks * o.n_tasks then 1 else 0 end
                ) end,
                max(d.n_occupations_at_least)
            from depth_of_use as d
            cross join (
                select h.onet_soc_code, count(*) as n_tasks, count(t.n_conversations) as p
                from ref_holders as h inner join task_usage as t on h.task_id = t.task_id group by 1
            ) as o
            cross join (select value from release_manifest where item = 'window_status') as m
            group by 1""",
        ),
        Equation(
            "geography_usage",
            "a country is the sum of its SOC groups",
            """
            select u.country_code, c.n, u.n_conversations from geography_usage as u
            left join (
                select country_code, sum(n_conversations) as n from geography_category_usage group by 1
            ) as c on u.country_code = c.country_code""",
        ),
        Equation(
            "task_hierarchy_usage",
            "a node is the sum of the published tasks under it",
            """
            with recursive under as (
                select node_id, parent_node_id, task_id from ref_nodes where task_id is not null
                union all
                select n.node_id, n.parent_node_id, u.task_id from under as u inner join ref_nodes as n
                on u.parent_node_id = n.node_id
            )
            select h.node_id, sum(t.n_conversations), max(h.n_conversations)
            from task_hierarchy_usage as h
            inner join (select distinct node_id, task_id from under) as u on h.node_id = u.node_id
            inner join task_usage as t on u.task_id = t.task_id group by 1""",
        ),
        Equation(
            "usage_by_unit",
            "conversations are those of the SOC group",
            """
            select u.soc_major_code, case when u.n_accounts_rounded is not null then c.n_conversations end,
            u.n_conversations
            from usage_by_unit as u left join occupation_category_usage as c on u.soc_major_code =
            c.soc_major_code""",
        ),
        Equation(
            "usage_by_unit",
            "the correlations are those of the released shares",
            """
            select 'pearson',
                case when min(share_of_conversations) < max(share_of_conversations)
                    and min(share_of_accounts) < max(share_of_accounts)
                then round(corr(share_of_conversations, share_of_accounts), 6) end,
            max(correlation_pearson)
            from usage_by_unit where share_of_accounts is not null""",
        ),
        Equation(
            "analysis_metadata",
            "counts are those of the bases",
            f"""
            select analysis, case base when 'classified' then {_CLASSIFIED} else {_PUBLISHED_TASKS} end,
            n_conversations
            from analysis_metadata""",
        ),
        Equation(
            "suppression_summary",
            "cells published are those of the tables",
            """
            select s.family, c.n, s.n_cells_published from suppression_summary as s
            inner join (
                select 'tasks' as family, count(n_conversations) as n from task_usage
                union all select 'outcomes', count(n_conversations) from outcome_totals
                union all
                select 'task_patterns', count(n_conversations) from task_collaboration_usage
                where pattern_level = 'pattern' and collaboration_pattern <> 'not_attributed'
            ) as c on s.family = c.family""",
        ),
    ]
    return listed + _shares()


def _shares() -> list[Equation]:
    published = f"{_PUBLISHED_TASKS}"
    part = "share_of_published_tasks"
    node = "level || '|' || node_id"
    zoned = "sum(n_conversations) filter (where job_zone not in ('no_zone', 'unattributed')) over ()"
    pairs = """(
        select count(*) from ref_holders as h inner join occupation_usage as o on h.onet_soc_code =
        o.onet_soc_code
        inner join task_usage as t on h.task_id = t.task_id
        where t.status = 'published' and cast(o.job_zone as varchar) {which})"""
    listed = [
        *_share("task_usage", "task_id", part, published),
        *_share("task_usage", "task_id", "share_of_classified", _CLASSIFIED),
        *_share("task_hierarchy_usage", node, part, published, where="node_id <> 'unattributed'"),
        *_share(
            "occupation_usage", "onet_soc_code", part, published, where="onet_soc_code <> 'unattributed'"
        ),
        *_share(
            "occupation_category_usage",
            "soc_major_code",
            part,
            published,
            where="soc_major_code <> 'unattributed'",
        ),
        *_share("occupation_usage", "onet_soc_code", "share_of_classified", _CLASSIFIED, _WITH_RESIDUAL),
        *_share(
            "occupation_category_usage", "soc_major_code", "share_of_classified", _CLASSIFIED, _WITH_RESIDUAL
        ),
        *_share("wage_usage", "onet_soc_code", part, published),
        *_share("wage_band_usage", "wage_band", part, published, where="wage_band <> 'unattributed'"),
        *_share(
            "job_zone_usage",
            "job_zone",
            "share_of_zoned",
            zoned,
            where="job_zone not in ('no_zone', 'unattributed')",
        ),
        *_share("skill_usage", "skill", "share_of_classified", _CLASSIFIED),
        *_share("facet_usage", "facet || '|' || option_id", "share_of_classified", _CLASSIFIED),
        *_share(
            "conversation_composition",
            "facet || '|' || soc_group || '|' || option_id",
            "share_of_group",
            "sum(n_conversations) over (partition by facet, soc_group)",
        ),
        *_share(
            "model_usage",
            "model || '|' || level || '|' || node_id",
            "share_of_model",
            "sum(case when node_id = 'all' then n_conversations end) over (partition by model)",
        ),
        *_share("thinking_usage", "task_id", "share_of_task_with_thinking", "n_support_conversations"),
        *_share("geography_usage", "country_code", "share_of_classified", "sum(n_conversations) over ()"),
        *_share(
            "geography_category_usage",
            "country_code || '|' || soc_group",
            "share_of_country",
            "sum(n_conversations) over (partition by country_code)",
        ),
        *_share(
            "geography_collaboration_usage",
            "country_code || '|' || collaboration_pattern",
            "share_of_country",
            "sum(n_conversations) over (partition by country_code)",
        ),
        *_share(
            "region_usage",
            "country_code || '|' || region_code",
            "share_of_country",
            "sum(n_conversations) over (partition by country_code)",
        ),
        *_share("outcome_totals", "outcome", "share_of_published_outcomes", "sum(n_conversations) over ()"),
        *_share(
            "usage_by_unit",
            "soc_major_code",
            "share_of_conversations",
            "sum(case when n_accounts_rounded is not null then n_conversations end) over ()",
        ),
        *_share(
            "usage_by_unit",
            "soc_major_code",
            "share_of_accounts",
            "sum(case when n_conversations is not null then n_accounts_rounded end) over ()",
            part="n_accounts_rounded",
        ),
        *_share(
            "depth_of_use",
            "min_percent_of_tasks",
            "share_of_occupations",
            "n_occupations",
            part="n_occupations_at_least",
        ),
        *_share(
            "suppression_summary",
            "family",
            "share_of_classified",
            _CLASSIFIED,
            where="family in ('tasks', 'task_patterns', 'occupation_residuals', "
            "'soc_major_group_residuals', 'global_residual')",
        ),
        Equation(
            "job_zone_usage",
            "share_of_used_pairs counts published tasks of the zone's occupations",
            f"""
            select j.job_zone, case when j.job_zone not in ('no_zone', 'unattributed') then coalesce(p.n, 0)
                / nullif({pairs.format(which="is not null")}, 0) end, j.share_of_used_pairs
            from job_zone_usage as j left join (
                select cast(o.job_zone as varchar) as job_zone, cast(count(*) as double) as n
                from ref_holders as h inner join occupation_usage as o on h.onet_soc_code = o.onet_soc_code
                inner join task_usage as t on h.task_id = t.task_id where t.status = 'published' group by 1
            ) as p on j.job_zone = p.job_zone""",
        ),
        *[
            Equation(
                table,
                f"{ratio} = {share} / {base}",
                f"select {key}, {share} / nullif({base}, 0), {ratio} from {table}",
            )
            for table, key, ratio, share, base in (
                (
                    "occupation_category_usage",
                    "soc_major_code",
                    "ratio_of_usage_to_employment",
                    part,
                    "share_of_us_employment",
                ),
                (
                    "job_zone_usage",
                    "job_zone",
                    "ratio_to_used_pairs",
                    "share_of_zoned",
                    "share_of_used_pairs",
                ),
                (
                    "job_zone_usage",
                    "job_zone",
                    "ratio_to_occupations",
                    "share_of_zoned",
                    "share_of_occupations",
                ),
                (
                    "job_zone_usage",
                    "job_zone",
                    "ratio_to_us_employment",
                    "share_of_zoned",
                    "share_of_us_employment",
                ),
            )
        ],
        *_patterns("collaboration_usage", None),
        *_patterns("task_collaboration_usage", "task_id"),
        *_patterns("occupation_collaboration_usage", "onet_soc_code"),
        *_patterns("category_collaboration_usage", "soc_major_code"),
    ]
    return listed


# What collaboration marts hold beside the cells of tasks: hidden patterns, split once more within SOC
# groups, then over all.
REST_OF_GROUP = """
    select m.soc_major_code || '|' || m.collaboration_pattern as cell, m.soc_major_code,
    m.collaboration_pattern,
        -- What is not attributed is a rest of the group or, where none is published, the sum over its tasks. With a
        -- part of a task that several groups hold, and no other rest, it can only be the sum: nothing is left then.
        round(case
            when m.collaboration_pattern <> 'not_attributed' then m.n_conversations - coalesce(a.n, 0)
            when
                a.n_shared > 0
                and abs(m.n_conversations - a.n) < 1e-6
                and not max(
                    m.collaboration_pattern <> 'not_attributed'
                    and abs(m.n_conversations - coalesce(a.n, 0)) > 1e-6
                ) over (partition by m.soc_major_code)
                then 0
            else m.n_conversations
        end, 6) as n
    from category_collaboration_usage as m
    left join (
        select w.soc_major_code, t.collaboration_pattern, sum(t.n_conversations * w.weight) as n,
            sum(case when w.weight < 1 then t.n_conversations * w.weight else 0 end) as n_shared
        from (
            select soc_major_code, task_id, count(*) / max(n_holders) as weight from ref_holders group by 1, 2
        ) as w
        inner join task_collaboration_usage as t on w.task_id = t.task_id and t.pattern_level = 'pattern'
        group by 1, 2
    ) as a on m.soc_major_code = a.soc_major_code and m.collaboration_pattern = a.collaboration_pattern
    where m.pattern_level = 'pattern' and m.n_conversations is not null
"""
REST_OF_ALL = f"""
    select c.collaboration_pattern as cell, c.n_conversations - coalesce(t.n, 0) - coalesce(g.n, 0) as n
    from collaboration_usage as c
    left join (
        select collaboration_pattern, sum(n_conversations) as n from task_collaboration_usage
        where pattern_level = 'pattern' and collaboration_pattern <> 'not_attributed' group by 1
    ) as t on c.collaboration_pattern = t.collaboration_pattern
    left join (
        select collaboration_pattern, sum(n) as n from ({REST_OF_GROUP})
        where collaboration_pattern <> 'not_attributed' group by 1
    ) as g on c.collaboration_pattern = g.collaboration_pattern
    where c.pattern_level = 'pattern' and c.n_conversations is not null
"""

# What can be had by subtraction: (family, what, query of (cell, value)); each is nothing at all or at least
# the floor.
DIFFERENCES: tuple[tuple[str, str, str], ...] = (
    (
        "residual of a SOC group",
        "occupation_category_usage minus its occupations",
        f"select unit, n from ({_SOC_RESIDUALS})",
    ),
    (
        "rest by pattern of a SOC group",
        "category_collaboration_usage minus the cells of tasks",
        f"select cell, n from ({REST_OF_GROUP})",
    ),
    (
        "rest by pattern",
        "collaboration_usage minus the cells of tasks and the rests of SOC groups",
        f"select cell, n from ({REST_OF_ALL})",
    ),
    (
        "rest by answer",
        "conversation_composition, all groups minus single groups",
        """
        select a.facet || '|' || a.option_id, a.n_conversations - coalesce(g.n, 0) from
        conversation_composition as a
        left join (
            select facet, option_id, sum(n_conversations) as n from conversation_composition
            where soc_group <> 'all' and option_id <> 'not_attributed' group by 1, 2
        ) as g on a.facet = g.facet and a.option_id = g.option_id
        where a.soc_group = 'all' and a.n_conversations is not null""",
    ),
    (
        "tasks used without thinking",
        "thinking_usage, support minus count",
        """
        select task_id, n_support_conversations - n_conversations from thinking_usage where n_conversations
        is not null""",
    ),
    (
        "conversations without a skill",
        "classified minus skill_usage",
        f"""
        select skill, {_CLASSIFIED} - n_conversations from skill_usage where n_conversations is not null""",
    ),
)
# A skill and its complement are rounded apart, so their difference is only known within the rounding of the
# total.
_LOOSE = frozenset(("conversations without a skill",))


def check_equations(connection: duckdb.DuckDBPyConnection, found: Collector) -> int:
    """Work out every equation and every difference; returns how many cells were compared."""
    compared = 0
    for equation in equations():
        rows = _rows(connection, equation.sql, equation.family, found)
        compared += len(rows)
        for cell, expected, shown in rows:
            if not _agree(expected, shown):
                attack = "A4" if "share" in equation.says or "ratio" in equation.says else "A1"
                found.add(
                    "equations",
                    attack,
                    equation.family,
                    cell,
                    f"{equation.says.capitalize()} does not hold: the value is not made of released values.",
                )
    for family, what, sql in DIFFERENCES:
        rows = _rows(connection, sql, family, found)
        compared += len(rows)
        for cell, value in rows:
            floor = 0 if family in _LOOSE else FLOOR_CONVERSATIONS
            if value is not None and value != 0 and (value < floor or (family not in _LOOSE and value % 5)):
                found.add(
                    "differences",
                    "A1" if family not in _LOOSE else "A9",
                    family,
                    cell,
                    f"Subtraction ({what}) leaves a group below 15 conversations or off the rounding base.",
                )
    return compared


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, family: str, found: Collector) -> list[tuple]:
    try:
        return connection.execute(sql).fetchall()
    except duckdb.Error as error:
        found.add(
            "equations",
            "A1",
            family,
            "*",
            f"An equation cannot be worked out ({type(error).__name__}): a table or column is missing or "
            f"of another type.",
        )
        return []


def _agree(expected: object, shown: object) -> bool:
    if expected is None or shown is None:
        return expected is None and shown is None
    a, b = float(expected), float(shown)  # type: ignore[arg-type]
    return abs(a - b) <= TOLERANCE * max(1.0, abs(a), abs(b))


def load_release(connection: duckdb.DuckDBPyConnection, release: Release) -> None:
    """Make every known table of the release a table of ``connection``; unknown ones stay outside."""
    for name, table in release.tables.items():
        if name in MARTS:
            connection.register(f"arrow_{name}", table)
            connection.execute(f"create or replace table {name} as select * from arrow_{name}")
            connection.unregister(f"arrow_{name}")
