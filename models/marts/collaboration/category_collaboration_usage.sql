-- Grain: one row per SOC major group with a published task and collaboration pattern or group of patterns.
{#
    Published cells of tasks, allocated, plus what is left over in blocks that lie within the group, split by pattern.
    Tasks of several groups that hide their pattern are in no group: their rest is only in collaboration_usage. So a row is
    complete only if no such task belongs to the group, no task of the group lies in a residual above it
    (occupation_category_usage), and what the group's own residuals hold is split here.
#}
with allocated as (

    {{ allocate_collaboration('soc_major_code') }}

),

rests as (

    select
        unit as soc_major_code,
        child as collaboration_pattern,
        cast(n_conversations as {{ type_exact_integer() }}) * denominators.denominator as n_conversations,
        n_support_conversations,
        n_accounts_at_least
    from {{ ref('wall_public_rests') }}
    cross join (select max(weight_denominator) as denominator from {{ ref('task_allocation') }}) as denominators
    where
        family = 'pattern'
        and unit not in ('all', 'several')

),

published_rests as (

    select distinct soc_major_code
    from rests
    where n_conversations is not null

),

parts as (

    select * from allocated
    where collaboration_pattern <> 'not_attributed'

    union all

    select * from rests

    union all

    -- Where nothing of the group's rest is published, what its tasks do not attribute still belongs to its total.
    select allocated.*
    from allocated
    left join published_rests
        on allocated.soc_major_code = published_rests.soc_major_code
    where
        allocated.collaboration_pattern = 'not_attributed'
        and published_rests.soc_major_code is null

),

counted as (

    select
        soc_major_code,
        collaboration_pattern,
        sum(n_conversations) as n_conversations,
        cast(sum(n_support_conversations) as bigint) as n_support_conversations,
        max(n_accounts_at_least) as n_accounts_at_least
    from parts
    group by 1, 2

),

groups as (

    select * from {{ ref('soc_major_groups') }}

),

group_tasks as (

    select distinct
        soc_major_code,
        task_id
    from {{ ref('task_allocation') }}

),

hiding_shared_tasks as (

    select group_tasks.task_id
    from group_tasks
    inner join {{ ref('wall_public_task_patterns') }} as cells
        on group_tasks.task_id = cells.task_id
    where
        cells.collaboration_pattern = 'not_attributed'
        and cells.n_conversations is not null
    group by group_tasks.task_id
    having count(distinct group_tasks.soc_major_code) > 1

),

groups_missing_shared as (

    select distinct group_tasks.soc_major_code
    from group_tasks
    inner join hiding_shared_tasks
        on group_tasks.task_id = hiding_shared_tasks.task_id

),

group_usage as (

    select * from {{ ref('occupation_category_usage') }}

),

completeness as (

    select
        groups.soc_major_code,
        coalesce(group_usage.is_complete, false)
        and groups_missing_shared.soc_major_code is null
        and (group_usage.n_conversations_residual is null or published_rests.soc_major_code is not null) as is_complete
    from groups
    left join group_usage
        on groups.soc_major_code = group_usage.soc_major_code
    left join groups_missing_shared
        on groups.soc_major_code = groups_missing_shared.soc_major_code
    left join published_rests
        on groups.soc_major_code = published_rests.soc_major_code

),

run as (

    select * from {{ ref('wall_public_run') }}

),

rows_of_unit as (

    {{ collaboration_rows('counted', ['soc_major_code'], is_allocated=true) }}

),

final as (

    select
        run.release_id,
        run.taxonomy_release,
        groups.title,
        rows_of_unit.soc_major_code,
        rows_of_unit.pattern_level,
        rows_of_unit.collaboration_pattern,
        rows_of_unit.label,
        rows_of_unit.pattern_group,
        rows_of_unit.position,
        rows_of_unit.is_complete and completeness.is_complete as is_complete,
        rows_of_unit.status,
        rows_of_unit.n_conversations,
        rows_of_unit.n_support_conversations,
        rows_of_unit.n_accounts_at_least,
        rows_of_unit.share_of_all,
        rows_of_unit.share_of_all_lower,
        rows_of_unit.share_of_all_upper,
        rows_of_unit.share_of_classified_patterns,
        rows_of_unit.share_of_classified_patterns_lower,
        rows_of_unit.share_of_classified_patterns_upper
    from rows_of_unit
    inner join groups
        on rows_of_unit.soc_major_code = groups.soc_major_code
    inner join completeness
        on groups.soc_major_code = completeness.soc_major_code
    cross join run

)

select * from final
