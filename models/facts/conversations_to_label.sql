-- Grain: one row per conversation that is to be labelled; the one place below staging that shows its text.
{{ config(materialized='view') }}
with intake as (

    select * from {{ ref('conversation_intake') }}

),

conversations as (

    select * from {{ ref('stg_conversations__read') }}

),

final as (

    select
        conversations.conversation_id,
        conversations.messages,
        conversations.content_hash
    from conversations
    inner join intake
        on conversations.input_row = intake.input_row
    where intake.intake_outcome = 'to_label'

)

select * from final
