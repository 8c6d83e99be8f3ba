-- Grain: one row per assistant model and node of the task hierarchy above the tasks, one row `all` and one `unattributed` per model.
with assistant_models as (

    select * from {{ ref('assistant_models') }}

),

nodes as (

    select * from {{ ref('task_hierarchy') }}
    where task_id is null

),

ancestors as (

    select * from {{ ref('task_ancestors') }}

),

usage as (

    select * from {{ ref('wall_public_task_models') }}

),

rests as (

    select * from {{ ref('wall_public_rests') }}
    where family = 'model'

),

run as (

    select * from {{ ref('wall_public_run') }}

),

node_counts as (

    select
        usage.model,
        ancestors.level,
        ancestors.node_id,
        cast(sum(usage.n_conversations) as bigint) as n_conversations,
        cast(sum(usage.n_support_conversations) as bigint) as n_support_conversations,
        max(usage.n_accounts_at_least) as n_accounts_at_least
    from usage
    inner join ancestors
        on usage.task_id = ancestors.task_id
    group by 1, 2, 3

),

totals as (

    select
        assistant_models.model,
        sum(parts.n_conversations) as n_conversations,
        max(parts.n_accounts_at_least) as n_accounts_at_least
    from assistant_models
    left join (
        select
            model,
            n_conversations,
            n_accounts_at_least
        from usage
        union all
        select
            child as model,
            n_conversations,
            n_accounts_at_least
        from rests
    ) as parts
        on assistant_models.model = parts.model
    group by assistant_models.model

),

unioned as (

    select
        assistant_models.model,
        nodes.level,
        nodes.level_name,
        nodes.node_id,
        nodes.name as node_name,
        node_counts.n_conversations,
        node_counts.n_support_conversations,
        node_counts.n_accounts_at_least
    from assistant_models
    cross join nodes
    left join node_counts
        on
            assistant_models.model = node_counts.model
            and nodes.level = node_counts.level
            and nodes.node_id = node_counts.node_id

    union all

    select
        model,
        0 as level,
        'all' as level_name,
        'all' as node_id,
        'All conversations' as node_name,
        cast(n_conversations as bigint) as n_conversations,
        cast(n_conversations as bigint) as n_support_conversations,
        n_accounts_at_least
    from totals

    union all

    select
        assistant_models.model,
        0 as level,
        'all' as level_name,
        'unattributed' as node_id,
        'Unattributed' as node_name,
        rests.n_conversations,
        rests.n_support_conversations,
        rests.n_accounts_at_least
    from assistant_models
    inner join rests
        on assistant_models.model = rests.child

),

final as (

    select
        run.release_id,
        run.taxonomy_release,
        unioned.model,
        assistant_models.label as model_label,
        cast(unioned.level as integer) as level,
        unioned.level_name,
        unioned.node_id,
        unioned.node_name,
        {{ status_of('unioned.n_support_conversations') }} as status,
        unioned.n_conversations,
        unioned.n_support_conversations,
        unioned.n_accounts_at_least,
        {{ share_columns('share_of_model', 'unioned.n_conversations', 'totals.n_conversations') }}
    from unioned
    inner join assistant_models
        on unioned.model = assistant_models.model
    inner join totals
        on unioned.model = totals.model
    cross join run

)

select * from final
