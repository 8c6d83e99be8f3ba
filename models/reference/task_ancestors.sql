-- Grain: one row per task and level of the hierarchy: the node that the task stands under.
with recursive nodes as (

    select * from {{ ref('task_hierarchy') }}

),

ancestors as (

    select
        task_id,
        level,
        node_id,
        parent_node_id
    from nodes
    where task_id is not null

    union all

    select
        ancestors.task_id,
        nodes.level,
        nodes.node_id,
        nodes.parent_node_id
    from ancestors
    inner join nodes
        on ancestors.parent_node_id = nodes.node_id

),

final as (

    select
        task_id,
        level,
        node_id
    from ancestors

)

select * from final
