with

built as (

    select * from {{ ref('task_hierarchy_built') }}

),

final as (

    select
        level,
        level_name,
        node_id,
        parent_node_id,
        top_node_id,
        name,
        task_id,
        n_tasks
    from built

)

select * from final
