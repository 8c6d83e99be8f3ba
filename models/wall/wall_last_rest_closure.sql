-- Grain: one row per family and child of the last rest; `block` is the child, '*' or null.
with final as (

    {{ close_rest(ref('wall_last_rest_cells'), ref('wall_policy')) }}

)

select * from final
