-- Grain: one row per conversation of the input; each has exactly one outcome.
with intake as (

    select * from {{ ref('conversation_intake') }}

),

answers as (

    select * from {{ ref('conversation_answers') }}

),

tasks as (

    select * from {{ ref('tasks') }}

),

facets as (

    select * from {{ ref('facet_options') }}

),

screens as (

    select
        conversation_id,
        option_id,
        status,
        reason
    from answers
    where facet = 'occupational'

),

assigned as (

    select
        answers.conversation_id,
        answers.option_id,
        answers.status,
        answers.reason,
        tasks.task_id
    from answers
    left join tasks
        on answers.option_id = cast(tasks.task_id as {{ dbt.type_string() }})
    where answers.facet = 'task'

),

patterns as (

    select
        answers.conversation_id,
        answers.option_id as collaboration_pattern
    from answers
    inner join facets
        on
            answers.facet = facets.facet
            and answers.option_id = facets.option_id
    where
        answers.facet = 'collaboration_pattern'
        and answers.status = 'ok'

),

-- First match wins, in the order of the conservation law (docs/privacy.md): quarantined, duplicate, safety_filtered,
-- screened_out, none, unclassified, failed, classified.
decided as (

    select
        intake.input_row,
        assigned.task_id,
        case
            when intake.intake_outcome <> 'to_label' then intake.intake_outcome
            when screens.status = 'ok' and screens.option_id = 'no' then 'screened_out'
            when assigned.status = 'ok' and assigned.option_id = 'none' then 'none'
            when screens.status in ('invalid', 'refused') or assigned.status in ('invalid', 'refused') then 'unclassified'
            when assigned.status = 'ok' and assigned.task_id is null then 'unclassified'
            when assigned.status = 'ok' and screens.status = 'ok' then 'classified'
            else 'failed'
        end as outcome,
        case
            when intake.intake_outcome <> 'to_label' then intake.intake_reason
            when screens.status = 'ok' and screens.option_id = 'no' then 'not_occupational'
            when assigned.status = 'ok' and assigned.option_id = 'none' then 'no_task_fits'
            when screens.status in ('invalid', 'refused') then coalesce(screens.reason, screens.status)
            when assigned.status in ('invalid', 'refused') then coalesce(assigned.reason, assigned.status)
            when assigned.status = 'ok' and assigned.task_id is null then 'task_not_in_taxonomy'
            when assigned.status = 'ok' and screens.status = 'ok' then null
            else coalesce(screens.reason, assigned.reason, 'no_answer')
        end as outcome_reason
    from intake
    left join screens
        on
            intake.conversation_id = screens.conversation_id
            and intake.intake_outcome = 'to_label'
    left join assigned
        on
            intake.conversation_id = assigned.conversation_id
            and intake.intake_outcome = 'to_label'

),

final as (

    select
        intake.input_row,
        intake.conversation_id,
        intake.account_key,
        intake.organization_key,
        intake.started_at,
        intake.model,
        intake.product,
        intake.language,
        intake.country_code,
        intake.region_code,
        intake.extended_thinking as is_extended_thinking,
        decided.outcome,
        decided.outcome_reason,
        case when decided.outcome = 'classified' then decided.task_id end as task_id,
        case when decided.outcome = 'classified' then patterns.collaboration_pattern end as collaboration_pattern
    from intake
    inner join decided
        on intake.input_row = decided.input_row
    left join patterns
        on
            intake.conversation_id = patterns.conversation_id
            and decided.outcome = 'classified'

)

select * from final
