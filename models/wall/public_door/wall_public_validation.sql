-- Grain: one row per item that people have judged. Public door.
{#
    The declared exception for validation: whole percents from 100 readings up. Readings are of a keyed sample, and how
    many there were is told in steps of 50.
#}
{{ config(enabled=not is_imported()) }}
with readings as (

    select * from {{ ref('validation_readings') }}

),

final as (

    select
        item,
        case when n_readings >= 100 then 'published' else 'withheld' end as status,
        case when n_readings >= 100 then cast(floor(n_readings / 50.0) * 50 as bigint) end as n_readings_at_least,
        case when n_readings >= 100 then acceptable_percent end as acceptable_percent,
        case when n_readings >= 100 then acceptable_percent_lower end as acceptable_percent_lower,
        case when n_readings >= 100 then acceptable_percent_upper end as acceptable_percent_upper,
        case when n_read_twice >= 100 then agreement_percent end as agreement_percent,
        case when n_read_twice >= 100 then agreement_kappa end as agreement_kappa
    from readings

)

select * from final
