-- Grain: one row per task, collaboration pattern and account (classified conversations).
with conversations as (

    select * from {{ ref('wall_conversations') }}

),

final as (

    {{ cell_accounts('conversations', 'task_id', 'collaboration_pattern', "outcome = 'classified'") }}

)

select * from final
