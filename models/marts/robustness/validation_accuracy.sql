-- Grain: one row per item that people have judged: a level of the task hierarchy, or a facet (the paper's Appendix C).
with validation as (

    select * from {{ ref('wall_public_validation') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

final as (

    select
        run.release_id,
        validation.item,
        validation.status,
        validation.n_readings_at_least,
        validation.acceptable_percent,
        validation.acceptable_percent_lower,
        validation.acceptable_percent_upper,
        validation.agreement_percent,
        validation.agreement_kappa
    from validation
    cross join run

)

select * from final
