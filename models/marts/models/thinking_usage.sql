-- Grain: one row per published task: how much of its use was with extended thinking.
with tasks as (

    select * from {{ ref('tasks') }}

),

usage as (

    select * from {{ ref('wall_public_task_thinking') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

-- A fraction gives away its complement, so it is released only where both answers are published.
counted as (

    select
        task_id,
        cast(sum(case when extended_thinking = 'yes' then n_conversations end) as bigint) as n_conversations,
        cast(sum(n_support_conversations) as bigint) as n_support_conversations,
        max(n_accounts_at_least) as n_accounts_at_least
    from usage
    group by task_id
    having count(n_conversations) = 2

),

final as (

    select
        run.release_id,
        run.taxonomy_release,
        tasks.task_id,
        tasks.task,
        {{ status_of('counted.n_support_conversations') }} as status,
        counted.n_conversations,
        counted.n_support_conversations,
        counted.n_accounts_at_least,
        {{ share_columns('share_of_task_with_thinking', 'counted.n_conversations', 'counted.n_support_conversations') }}
    from (select distinct task_id from usage) as published
    inner join tasks
        on published.task_id = tasks.task_id
    left join counted
        on published.task_id = counted.task_id
    cross join run

)

select * from final
