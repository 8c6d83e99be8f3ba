-- Grain: one row per collaboration pattern and per group of patterns, over all classified conversations.
{#
    Cells of single tasks plus what is left over, split once more by pattern (wall_public_rests): a sum of task cells
    alone would understate rare patterns, which small tasks hide more often.
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

rests as (

    select
        child as collaboration_pattern,
        n_conversations,
        n_accounts_at_least
    from {{ ref('wall_public_rests') }}
    where family = 'pattern'

),

run as (

    select * from {{ ref('wall_public_run') }}

),

counted as (

    select
        rests.collaboration_pattern,
        case
            when task_patterns.n_conversations is not null or rests.n_conversations is not null
                then coalesce(task_patterns.n_conversations, 0) + coalesce(rests.n_conversations, 0)
        end as n_conversations,
        case
            when task_patterns.n_conversations is not null or rests.n_conversations is not null
                then coalesce(task_patterns.n_conversations, 0) + coalesce(rests.n_conversations, 0)
        end as n_support_conversations,
        greatest(task_patterns.n_accounts_at_least, rests.n_accounts_at_least) as n_accounts_at_least
    from rests
    left join task_patterns
        on rests.collaboration_pattern = task_patterns.collaboration_pattern

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
