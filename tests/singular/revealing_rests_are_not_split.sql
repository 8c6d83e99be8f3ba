-- A rest of which the split would prove that a hidden cell is not empty is one block or none.
{{ config(group='private_side', enabled=not is_imported()) }}
with cells as (

    select
        'rest' as part,
        parent,
        child,
        is_revealing
    from {{ ref('wall_rest_cells') }}

    union all

    select
        'last rest' as part,
        parent,
        child,
        is_revealing
    from {{ ref('wall_last_rest_cells') }}

),

closure as (

    select
        'rest' as part,
        parent,
        child,
        block
    from {{ ref('wall_rest_closure') }}

    union all

    select
        'last rest' as part,
        parent,
        child,
        block
    from {{ ref('wall_last_rest_closure') }}

)

select distinct
    closure.part,
    closure.parent
from closure
inner join cells
    on
        closure.part = cells.part
        and closure.parent = cells.parent
where
    cells.is_revealing
    and closure.block <> '*'
