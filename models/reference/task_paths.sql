with

hierarchy as (

    select * from {{ ref('task_hierarchy') }}
    where level_name = 'base'

),

final as (

    -- With two levels there is no middle: a task's parent is its top node.
    select
        task_id,
        top_node_id,
        case when parent_node_id <> top_node_id then parent_node_id end as middle_node_id
    from hierarchy

)

select * from final
