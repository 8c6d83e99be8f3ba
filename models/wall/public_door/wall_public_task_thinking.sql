-- Grain: one row per published task and use of extended thinking. Public door.
with tasks as (

    select * from {{ ref('wall_public_tasks') }}

),

thinking as (

    select 'yes' as extended_thinking
    union all
    select 'no' as extended_thinking

),

blocks as (

    select * from {{ door('blocks') }}

),

draws as (

    select * from {{ door('draws') }}

),

final as (

    select
        tasks.task_id,
        thinking.extended_thinking,
        case when draws.block_id is not null then 'published' else 'withheld' end as status,
        draws.n_rounded as n_conversations,
        draws.n_rounded as n_support_conversations,
        cast(case when draws.block_id is not null then {{ account_band('blocks.n_accounts') }} end as bigint) as n_accounts_at_least
    from tasks
    cross join thinking
    left join blocks
        on 'thinking|' || cast(tasks.task_id as {{ dbt.type_string() }}) || '|' || thinking.extended_thinking = blocks.block_id
    left join draws
        on blocks.block_id = draws.block_id
    where tasks.status = 'published'

)

select * from final
