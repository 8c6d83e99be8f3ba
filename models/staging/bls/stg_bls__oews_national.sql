{#
    BLS writes '#' for a wage at or above the published cap, '*' for a wage and '**' for an employment that is not
    available. The cap of May 2022 and later is 239,200 dollars a year; the variable serves older files.
#}
{% set unknown = "('', '*', '**', '#', '~', '-')" %}

with

source as (

    select * from {{ ref('bls_oews_national') }}

),

trimmed as (

    select
        occ_code,
        occ_title,
        o_group,
        replace(trim(coalesce(tot_emp, '')), ',', '') as tot_emp,
        replace(trim(coalesce(a_mean, '')), ',', '') as a_mean,
        replace(trim(coalesce(a_median, '')), ',', '') as a_median,
        replace(trim(coalesce(h_median, '')), ',', '') as h_median
    from source

),

final as (

    select
        occ_code,
        occ_title,
        o_group,
        cast(case when tot_emp not in {{ unknown }} then tot_emp end as bigint) as n_employed,
        cast(case when a_mean not in {{ unknown }} then a_mean end as decimal(12, 2)) as mean_wage_usd,
        case
            when a_median = '#' then cast({{ var('oews_top_code_usd', 239200) }} as decimal(12, 2))
            else cast(case when a_median not in {{ unknown }} then a_median end as decimal(12, 2))
        end as median_wage_usd,
        cast(case when h_median not in {{ unknown }} then h_median end as decimal(12, 2))
            as median_hourly_wage_usd,
        a_median = '#' as is_top_coded
    from trimmed

)

select * from final
