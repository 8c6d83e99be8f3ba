-- Grain: one row per published task and assistant model. Public door.
with tasks as (

    select * from {{ ref('wall_public_tasks') }}

),

models as (

    select model from {{ ref('assistant_models') }}

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
        models.model,
        case when draws.block_id is not null then 'published' else 'withheld' end as status,
        draws.n_rounded as n_conversations,
        draws.n_rounded as n_support_conversations,
        cast(case when draws.block_id is not null then {{ account_band('blocks.n_accounts') }} end as bigint) as n_accounts_at_least
    from tasks
    cross join models
    left join blocks
        on 'model|' || cast(tasks.task_id as {{ dbt.type_string() }}) || '|' || models.model = blocks.block_id
    left join draws
        on blocks.block_id = draws.block_id
    where tasks.status = 'published'

)

select * from final
