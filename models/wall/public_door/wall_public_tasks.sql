-- Grain: one row per task of the taxonomy. Public door.
with tasks as (

    select * from {{ ref('tasks') }}

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
        cast(sum(draws.n_rounded) as bigint) as n_conversations,
        max({{ account_band('blocks.n_accounts') }}) as n_accounts_at_least
    from blocks
    inner join draws
        on 'spine|' || blocks.block = draws.block_id
    where blocks.block_level = 'task'
    group by blocks.task_id

),

final as (

    select
        tasks.task_id,
        case when counted.task_id is not null then 'published' else 'withheld' end as status,
        counted.n_conversations,
        counted.n_conversations as n_support_conversations,
        cast(counted.n_accounts_at_least as bigint) as n_accounts_at_least
    from tasks
    left join counted
        on tasks.task_id = counted.task_id

)

select * from final
