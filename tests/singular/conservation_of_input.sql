-- Every row of the intake has exactly one outcome, and a conversation that was to be labelled has none of the outcomes of
-- those that were set aside before.
{{ config(group='private_side', enabled=not is_imported()) }}
with intake as (

    select * from {{ ref('conversation_intake') }}

),

outcomes as (

    select * from {{ ref('fct_conversations') }}

),

counted as (

    select
        input_row,
        count(*) as n_outcomes,
        min(outcome) as outcome
    from outcomes
    group by input_row

),

paired as (

    select
        coalesce(intake.input_row, counted.input_row) as input_row,
        intake.intake_outcome,
        counted.outcome,
        coalesce(counted.n_outcomes, 0) as n_outcomes
    from intake
    full outer join counted
        on intake.input_row = counted.input_row

)

select *
from paired
where
    n_outcomes <> 1
    or intake_outcome is null
    or (intake_outcome <> 'to_label' and outcome <> intake_outcome)
    or (intake_outcome = 'to_label' and outcome in ('quarantined', 'duplicate', 'safety_filtered'))
