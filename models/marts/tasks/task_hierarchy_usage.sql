-- Grain: one row per node of the task hierarchy above the tasks, and one `unattributed` row per level.
with nodes as (

    select * from {{ ref('task_hierarchy') }}
    where task_id is null

),

ancestors as (

    select * from {{ ref('task_ancestors') }}

),

usage as (

    select * from {{ ref('wall_public_tasks') }}

),

residuals as (

    select
        cast(sum(n_conversations) as bigint) as n_conversations,
        max(n_accounts_at_least) as n_accounts_at_least
    from {{ ref('wall_public_residuals') }}
    where status = 'published'

),

run as (

    select * from {{ ref('wall_public_run') }}

),

published as (

    select sum(n_conversations) as n_conversations from usage

),

counted as (

    select
        ancestors.level,
        ancestors.node_id,
        count(*) as n_tasks,
        count(usage.n_conversations) as n_tasks_published,
        cast(sum(usage.n_conversations) as bigint) as n_conversations,
        cast(sum(usage.n_support_conversations) as bigint) as n_support_conversations,
        max(usage.n_accounts_at_least) as n_accounts_at_least
    from ancestors
    inner join usage
        on ancestors.task_id = usage.task_id
    group by 1, 2

),

unioned as (

    select
        nodes.level,
        nodes.level_name,
        nodes.node_id,
        nodes.parent_node_id,
        nodes.name as node_name,
        counted.n_tasks,
        counted.n_tasks_published,
        counted.n_conversations,
        counted.n_support_conversations,
        counted.n_accounts_at_least,
        counted.n_tasks = counted.n_tasks_published as is_complete
    from nodes
    inner join counted
        on
            nodes.level = counted.level
            and nodes.node_id = counted.node_id

    union all

    select
        levels.level,
        levels.level_name,
        'unattributed' as node_id,
        null as parent_node_id,
        'Unattributed' as node_name,
        null as n_tasks,
        null as n_tasks_published,
        residuals.n_conversations,
        residuals.n_conversations as n_support_conversations,
        residuals.n_accounts_at_least,
        false as is_complete
    from (select distinct
        level,
        level_name
    from nodes) as levels
    cross join residuals

),

final as (

    select
        run.release_id,
        run.taxonomy_release,
        cast(unioned.level as integer) as level,
        unioned.level_name,
        unioned.node_id,
        unioned.parent_node_id,
        unioned.node_name,
        cast(unioned.n_tasks as bigint) as n_tasks,
        cast(unioned.n_tasks_published as bigint) as n_tasks_published,
        unioned.is_complete,
        {{ status_of('unioned.n_support_conversations') }} as status,
        unioned.n_conversations,
        unioned.n_support_conversations,
        unioned.n_accounts_at_least,
        case when unioned.node_id <> 'unattributed' then {{ share('unioned.n_conversations', 'published.n_conversations') }} end as share_of_published_tasks,
        case when unioned.node_id <> 'unattributed' then {{ wilson('unioned.n_conversations', 'published.n_conversations', 'lower') }} end as share_of_published_tasks_lower,
        case when unioned.node_id <> 'unattributed' then {{ wilson('unioned.n_conversations', 'published.n_conversations', 'upper') }} end as share_of_published_tasks_upper
    from unioned
    cross join run
    cross join published

)

select * from final
