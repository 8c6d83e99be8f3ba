-- Grain: one row per collaboration pattern and per group of patterns, over all classified conversations.
{#
    Cells of single tasks plus what is left over, split once more by pattern, first within SOC groups, then over all
    (wall_public_rests): a sum of task cells alone would understate rare patterns, which small tasks hide more often.
#}
with task_patterns as (

    select
        collaboration_pattern,
        cast(sum(n_conversations) as bigint) as n_conversations,
        max(n_accounts_at_least) as n_accounts_at_least
    from {{ ref('wall_public_task_patterns') }}
    where
        status = 'published'
        and collaboration_pattern <> 'not_attributed'
    group by collaboration_pattern

),

group_rests as (

    select
        child as collaboration_pattern,
        cast(sum(n_conversations) as bigint) as n_conversations,
        max(n_accounts_at_least) as n_accounts_at_least
    from {{ ref('wall_public_rests') }}
    where
        family = 'pattern'
        and unit <> 'all'
        and child <> 'not_attributed'
    group by child

),

last_rests as (

    select
        child as collaboration_pattern,
        n_conversations,
        n_accounts_at_least
    from {{ ref('wall_public_rests') }}
    where
        family = 'pattern'
        and unit = 'all'

),

parts as (

    select * from task_patterns
    union all
    select * from group_rests
    union all
    select * from last_rests

),

run as (

    select * from {{ ref('wall_public_run') }}

),

counted as (

    select
        collaboration_pattern,
        cast(sum(n_conversations) as bigint) as n_conversations,
        cast(sum(n_conversations) as bigint) as n_support_conversations,
        max(n_accounts_at_least) as n_accounts_at_least
    from parts
    group by collaboration_pattern

),

rows_of_unit as (

    {{ collaboration_rows('counted', []) }}

),

final as (

    select
        run.release_id,
        rows_of_unit.*
    from rows_of_unit
    cross join run

)

select * from final
