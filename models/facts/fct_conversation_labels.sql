-- Grain: one row per conversation, facet and option that was chosen.
with answers as (

    select * from {{ ref('conversation_answers') }}

),

final as (

    select
        conversation_id,
        facet,
        option_id,
        confidence
    from answers
    where status = 'ok'

)

select * from final
