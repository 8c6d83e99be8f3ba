"""The flat layout of the first published release: one query and one description a file."""

from __future__ import annotations

# White space collapsed as in task_usage, so that a program may join statements and shares on the
# lower-cased text.
TEXT = "trim(regexp_replace(s.task, '[[:space:]]+', ' ', 'g'))"

PUBLISHED = """
    select lower(task) as task_name, n_conversations
    from marts.task_usage
    where status = 'published'
    union all
    select outcome, n_conversations
    from marts.outcome_totals
    where outcome = 'none' and status = 'published'
"""

PATTERNS = """
    select replace(collaboration_pattern, '_', ' ') as interaction_type, n_conversations
    from marts.collaboration_usage
    where pattern_level = 'pattern' and status = 'published'
"""

# What stands beside the published tasks, level by level; a group's own part is its column less its
# occupations'.
RESIDUALS = """
    with occupations as (
        select onet_soc_code as unit, soc_major_code, n_conversations_residual as n
        from marts.occupation_usage
        where onet_soc_code <> 'unattributed' and n_conversations_residual is not null
    ),
    grouped as (
        select soc_major_code, sum(n) as n from occupations group by soc_major_code
    )
    select 'occupation' as residual_level, unit, cast(n as bigint) as n_conversations
    from occupations
    union all
    select 'soc_major_group', soc_major_code, cast(c.n_conversations_residual - coalesce(grouped.n, 0) as
    bigint) from marts.occupation_category_usage as c
    left join grouped using (soc_major_code)
    where c.n_conversations_residual > coalesce(grouped.n, 0)
    union all
    select 'global', 'global', cast(n_conversations as bigint)
    from marts.occupation_category_usage
    where soc_major_code = 'unattributed' and status = 'published'
"""

TASK_STATEMENTS = f"""
    select
        s.onet_soc_code as "O*NET-SOC Code",
        o.title as "Title",
        s.task_id as "Task ID",
        {TEXT} as "Task",
        s.task_type as "Task Type",
        s.incumbents_responding as "Incumbents Responding",
        s.task_date as "Date",
        s.domain_source as "Domain Source"
    from onet_task_statements as s
    inner join onet_occupations as o using (onet_soc_code)
    where coalesce({TEXT}, '') <> ''
    order by s.onet_soc_code, cast(s.task_id as bigint)
"""

SOC_STRUCTURE = """
    with codes as (
        select soc_major_code || '-0000' as code, 1 as level, title from soc_major_groups
        union all
        select occ_code, case o_group when 'minor' then 2 when 'broad' then 3 else 4 end, occ_title
        from bls_oews_national
        where o_group in ('minor', 'broad', 'detailed') and length(occ_code) = 7
        union all
        select left(onet_soc_code, 7), 4, title
        from onet_occupations
        where
            onet_soc_code like '%.00'
            and left(onet_soc_code, 7) not in (select occ_code from bls_oews_national where o_group =
            'detailed')
        union all
        select onet_soc_code, 5, title from onet_occupations where onet_soc_code not like '%.00'
    )
    select
        case when level = 1 then code end as "Major Group",
        case when level = 2 then code end as "Minor Group",
        case when level = 3 then code end as "Broad Occupation",
        case when level = 4 then code end as "Detailed Occupation",
        case when level = 5 then code end as "Detailed O*NET-SOC",
        title as "SOC or O*NET-SOC 2019 Title"
    from codes
    order by code, level
"""

WAGES = """
    select
        o.onet_soc_code as "SOCcode",
        o.title as "JobName",
        regexp_replace(g.title, ' Occupations$', '') as "JobFamily",
        'False' as "isBright",
        'False' as "isGreen",
        coalesce(o.job_zone, -1) as "JobZone",
        coalesce(w.median_wage_usd, -1.0) as "MedianSalary",
        -1 as "JobForecast",
        -1.0 as "ChanceAuto",
        null as "WageGroup"
    from marts.occupation_usage as o
    inner join soc_major_groups as g using (soc_major_code)
    left join marts.wage_usage as w using (onet_soc_code)
    order by o.onet_soc_code
"""

EMPLOYMENT = """
    select title as "SOC or O*NET-SOC 2019 Title", cast(n_employed as bigint) as bls_distribution
    from soc_major_groups
    order by soc_major_code
"""

TASK_DETAILS = """
    select
        task_id,
        lower(task) as task_name,
        status,
        n_conversations,
        n_accounts_at_least,
        100 * share_of_published_tasks as pct_of_published_tasks,
        100 * share_of_published_tasks_lower as pct_of_published_tasks_lower,
        100 * share_of_published_tasks_upper as pct_of_published_tasks_upper,
        n_occupations,
        taxonomy_release,
        release_id
    from marts.task_usage
    order by task_id
"""

CROSSWALK = f"""
    select distinct
        t.task_id,
        lower(t.task) as task_name,
        s.onet_soc_code,
        o.title,
        left(s.onet_soc_code, 2) as soc_major_code,
        1 as weight_numerator,
        t.n_occupations as weight_denominator,
        1 / cast(t.n_occupations as double) as weight,
        t.taxonomy_release
    from onet_task_statements as s
    inner join onet_occupations as o using (onet_soc_code)
    inner join marts.task_usage as t on lower({TEXT}) = lower(t.task)
    order by t.task_id, s.onet_soc_code
"""

COLLABORATION_DETAILS = """
    select
        pattern_level,
        collaboration_pattern,
        pattern_group,
        status,
        n_conversations,
        n_accounts_at_least,
        100 * share_of_all as pct_of_all,
        100 * share_of_all_lower as pct_of_all_lower,
        100 * share_of_all_upper as pct_of_all_upper,
        100 * share_of_classified_patterns as pct_of_classified_patterns,
        100 * share_of_classified_patterns_lower as pct_of_classified_patterns_lower,
        100 * share_of_classified_patterns_upper as pct_of_classified_patterns_upper,
        release_id
    from marts.collaboration_usage
    order by position
"""


def flat_files(n_tasks: int, n_patterns: int) -> dict[str, tuple[str, str]]:
    """Query and description of every file by its name; the first six are those of the published release.

    Args:
        n_tasks: conversations in published tasks and the pseudo-task ``none``.
        n_patterns: conversations in all patterns, with those that are not attributed to one.
    """
    return {
        "onet_task_mappings.csv": (
            f"select task_name, {_percent(n_tasks)} from ({PUBLISHED}) order by task_name",
            "Share of conversations by task, in percent of the published tasks and the pseudo-task none",
        ),
        "automation_vs_augmentation.csv": (
            f"select interaction_type, {_percent(n_patterns)} from ({PATTERNS}) where interaction_type <> "
            "'not attributed' order by interaction_type",
            "Share of classified conversations by interaction type; what is not attributed is left out",
        ),
        "onet_task_statements.csv": (TASK_STATEMENTS, "Task statements of the taxonomy in use"),
        "SOC_Structure.csv": (SOC_STRUCTURE, "Hierarchy of the SOC codes in use"),
        "wage_data.csv": (
            WAGES,
            "Median yearly wage in US dollars and job zone by occupation, -1 where missing; isBright, "
            "isGreen, JobForecast, ChanceAuto and WageGroup are placeholders",
        ),
        "bls_employment_may_2023.csv": (EMPLOYMENT, "US employment by SOC major group, BLS OEWS May 2023"),
        "residuals.csv": (
            f"{RESIDUALS} order by 1, 2",
            "Conversations withheld from single tasks, by the unit that holds them",
        ),
        "task_details.csv": (
            TASK_DETAILS,
            "Every task: status, rounded count, lower end of the account band, Wilson 95 % interval",
        ),
        "task_occupation_crosswalk.csv": (
            CROSSWALK,
            "Which occupations hold a task, and the part of its use that each is given",
        ),
        "collaboration_details.csv": (
            COLLABORATION_DETAILS,
            "Patterns and groups of patterns over both bases: rounded counts, Wilson 95 % intervals",
        ),
        "automation_vs_augmentation_by_task.csv": (
            _by_task(),
            "Parts of each task's use by interaction type, as in the second release; filtered is what has "
            "no pattern, or none that is published",
        ),
    }


def _percent(total: int) -> str:
    return f"100 * cast(n_conversations as double) / {max(total, 1)} as pct"


def _by_task() -> str:
    patterns = ("feedback_loop", "directive", "task_iteration", "validation", "learning")
    parts = ",\n".join(
        f"coalesce(sum(share_of_all) filter (where collaboration_pattern = '{name}'), 0.0) as {name}"
        for name in patterns
    )
    return f"""
        with parts as (
            select lower(task) as task_name, {parts}
            from marts.task_collaboration_usage
            where pattern_level = 'pattern'
            group by task
        )
        select *, greatest(0.0, 1.0 - ({" + ".join(patterns)})) as filtered from parts order by task_name
    """
