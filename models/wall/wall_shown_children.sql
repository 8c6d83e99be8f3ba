-- Grain: one row per hidden block and child that is shown beside it in a cell of its own: it cannot be inside.
with final as (

    select distinct
        'pattern' as family,
        'task|' || cast(task_id as {{ dbt.type_string() }}) as hidden_block,
        collaboration_pattern as child
    from {{ ref('wall_spine') }}
    where
        block like 'task|%'
        and block not like 'task|%|*'

    union all

    select
        family,
        family || '|' || parent as hidden_block,
        child
    from {{ ref('wall_family_closure') }}
    where
        block is not null
        and block <> '*'
        and family in ('model', 'thinking', 'composition')

)

select * from final
