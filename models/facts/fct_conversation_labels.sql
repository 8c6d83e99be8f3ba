-- Grain: one row per conversation, facet and option that was chosen.
with answers as (

    select * from {{ ref('conversation_answers') }}

),

intake as (

    select * from {{ ref('conversation_intake') }}

),

final as (

    select
        intake.input_row,
        answers.facet,
        answers.option_id,
        answers.confidence
    from answers
    inner join intake
        on answers.conversation_id = intake.conversation_id
    where
        answers.status = 'ok'
        and answers.option_id is not null
        and intake.intake_outcome = 'to_label'

)

select * from final
