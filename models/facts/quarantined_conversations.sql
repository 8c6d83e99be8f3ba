-- Grain: one row per quarantined input row of the release.
with intake as (

    select * from {{ ref('conversation_intake') }}

),

final as (

    select
        input_row,
        source_file,
        conversation_id,
        intake_reason as reason
    from intake
    where intake_outcome = 'quarantined'

)

select * from final
