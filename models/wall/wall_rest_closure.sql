-- Grain: one row per rest and child; `block` is the child, '*' or null.
with final as (

    {{ close_rest(ref('wall_rest_cells'), ref('wall_policy')) }}

)

select * from final
