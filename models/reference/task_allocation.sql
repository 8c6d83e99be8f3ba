-- Grain: one row per task and occupation that holds it, with the exact weight of the split.
with holders as (

    select * from {{ ref('task_occupations') }}

),

denominators as (

    {{ allocation_denominator('holders', 'n_holders') }}

),

final as (

    select
        holders.task_id,
        holders.onet_soc_code,
        holders.soc_major_code,
        holders.n_holders,
        {{ to_numerator(1, 'denominators.denominator', 'holders.n_holders') }} as weight_numerator,
        denominators.denominator as weight_denominator
    from holders
    cross join denominators

)

select * from final
