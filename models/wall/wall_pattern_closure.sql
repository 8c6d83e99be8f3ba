-- Grain: one row per task and collaboration pattern that occurs; `block` says where its conversations are counted.
with final as (

    {{ close_children(ref('wall_pattern_cells'), ref('wall_policy'), n_domain=6) }}

)

select
    parent as task_id,
    child as collaboration_pattern,
    block
from final
