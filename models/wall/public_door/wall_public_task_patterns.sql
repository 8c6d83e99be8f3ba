-- Grain: one row per published task and collaboration pattern, and one for what is not attributed to a pattern. Public door.
with tasks as (

    select * from {{ ref('wall_public_tasks') }}

),

patterns as (

    select pattern as collaboration_pattern from {{ ref('collaboration_patterns') }}

    union all

    select 'not_attributed' as collaboration_pattern

),

blocks as (

    select * from {{ door('spine_blocks') }}

),

draws as (

    select * from {{ door('draws') }}

),

counted as (

    select
        blocks.task_id,
        case when blocks.collaboration_pattern = '*' then 'not_attributed' else blocks.collaboration_pattern end as collaboration_pattern,
        draws.n_rounded as n_conversations,
        {{ account_band('blocks.n_accounts') }} as n_accounts_at_least
    from blocks
    inner join draws
        on 'spine|' || blocks.block = draws.block_id
    where blocks.block_level = 'task'

),

final as (

    select
        tasks.task_id,
        patterns.collaboration_pattern,
        case when counted.task_id is not null then 'published' else 'withheld' end as status,
        counted.n_conversations,
        counted.n_conversations as n_support_conversations,
        cast(counted.n_accounts_at_least as bigint) as n_accounts_at_least
    from tasks
    cross join patterns
    left join counted
        on
            tasks.task_id = counted.task_id
            and patterns.collaboration_pattern = counted.collaboration_pattern
    where tasks.status = 'published'

)

select * from final
