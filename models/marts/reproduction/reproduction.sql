-- Grain: one row per published number of the paper or the second report, beside what the marts of the same release say.
{#
    Only for an imported release (economic-index import-release). Which edition it is shows in its number of conversations.
    Numbers that no release allows to recompute stand in the table too, with the reason.
#}
with published_numbers as (

    select * from {{ ref('published_numbers') }}

),

categories as (

    select * from {{ ref('occupation_category_usage') }}
    where soc_major_code <> 'unattributed'

),

occupations as (

    select * from {{ ref('occupation_usage') }}
    where status = 'published'

),

patterns as (

    select * from {{ ref('collaboration_usage') }}

),

depth as (

    select * from {{ ref('depth_of_use') }}

),

wages as (

    select * from {{ ref('wage_usage') }}
    where status = 'published'

),

zones as (

    select * from {{ ref('job_zone_usage') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

editions as (

    select
        run.release_id,
        listed.edition
    from run
    inner join (
        values
        ('v1', '767510'),
        ('v2', '973636')
    ) as listed (edition, n_total)
        on run.sample_n = listed.n_total

),

-- The paper's quartiles run over used occupations; those of wage_band_usage over all that have a wage.
quartiles as (

    select
        cast(share_of_published_tasks as decimal(38, 18)) as share_of_published_tasks,
        ntile(4) over (order by median_wage_usd, onet_soc_code) as wage_quartile
    from wages

),

recomputed as (

    select
        'category_share' as measure,
        soc_major_code as measure_key,
        100 * share_of_published_tasks as value
    from categories
    union all
    select
        'us_employment_share' as measure,
        soc_major_code as measure_key,
        100 * share_of_us_employment as value
    from categories
    union all
    select
        'ratio_to_employment' as measure,
        soc_major_code as measure_key,
        ratio_of_usage_to_employment as value
    from categories
    union all
    select
        'occupation_share' as measure,
        onet_soc_code as measure_key,
        100 * share_of_published_tasks as value
    from occupations
    union all
    select
        'pattern_share' as measure,
        collaboration_pattern as measure_key,
        100 * share_of_classified_patterns as value
    from patterns
    union all
    select
        'depth_of_use' as measure,
        cast(min_percent_of_tasks as {{ dbt.type_string() }}) as measure_key,
        100 * share_of_occupations as value
    from depth
    union all
    select
        'job_zone_share' as measure,
        job_zone as measure_key,
        100 * share_of_zoned as value
    from zones
    union all
    select
        'job_zone_base' as measure,
        job_zone as measure_key,
        100 * share_of_used_pairs as value
    from zones
    union all
    select
        'job_zone_ratio' as measure,
        job_zone as measure_key,
        ratio_to_used_pairs as value
    from zones
    union all
    select
        'wage_quartile_share' as measure,
        cast(wage_quartile as {{ dbt.type_string() }}) as measure_key,
        100 * cast(sum(share_of_published_tasks) as double) as value
    from quartiles
    group by wage_quartile

),

final as (

    select
        editions.release_id,
        editions.edition,
        published_numbers.number_id,
        cast(published_numbers.position as integer) as position,
        published_numbers.paper_section,
        published_numbers.measure,
        published_numbers.measure_key,
        published_numbers.label,
        published_numbers.unit,
        published_numbers.published_value,
        published_numbers.reference_value,
        recomputed.value,
        recomputed.value - published_numbers.published_value as difference_to_published,
        recomputed.value - published_numbers.reference_value as difference_to_reference,
        case
            when published_numbers.reference_value is null then 'not_reproducible'
            when
                abs(recomputed.value - published_numbers.reference_value) <= published_numbers.tolerance
                and recomputed.value >= coalesce(published_numbers.lower_bound, recomputed.value)
                and recomputed.value <= coalesce(published_numbers.upper_bound, recomputed.value)
                then 'reproduced'
            else 'differs'
        end as outcome,
        published_numbers.recipe,
        published_numbers.reason
    from editions
    inner join published_numbers
        on editions.edition = published_numbers.edition
    left join recomputed
        on
            published_numbers.measure = recomputed.measure
            and published_numbers.measure_key = recomputed.measure_key

)

select * from final
