-- Grain: one row per SOC major group with a published task and collaboration pattern or group of patterns.
{#
    Published cells of tasks, allocated, plus what is left over in blocks that lie within the group, split by pattern.
    Tasks of several groups that hide their pattern are in no group: their rest is only in collaboration_usage.
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
        rows_of_unit.*
    from rows_of_unit
    inner join groups
        on rows_of_unit.soc_major_code = groups.soc_major_code
    cross join run

)

select * from final
