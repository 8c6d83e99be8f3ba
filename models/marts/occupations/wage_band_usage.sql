-- Grain: one row per wage quartile, one for occupations without a wage, one `unattributed` row.
with occupations as (

    select * from {{ ref('occupations') }}

),

wages as (

    select * from {{ ref('wage_usage') }}

),

allocation as (

    select * from {{ ref('task_allocation') }}

),

usage as (

    select * from {{ ref('wall_public_tasks') }}

),

residuals as (

    select
        cast(sum(n_conversations) as bigint) as n_conversations,
        max(n_accounts_at_least) as n_accounts_at_least
    from {{ ref('wall_public_residuals') }}
    where status = 'published'

),

run as (

    select * from {{ ref('wall_public_run') }}

),

published as (

    select cast(sum(n_conversations) as bigint) as n_conversations from usage

),

bands as (

    select
        occupations.onet_soc_code,
        coalesce(cast(wages.wage_quartile as {{ dbt.type_string() }}), 'no_wage') as wage_band,
        wages.median_wage_usd,
        coalesce(wages.is_top_coded, false) as is_top_coded
    from occupations
    left join wages
        on occupations.onet_soc_code = wages.onet_soc_code

),

band_ranges as (

    select
        wage_band,
        count(*) as n_occupations,
        min(median_wage_usd) as min_median_wage_usd,
        max(median_wage_usd) as max_median_wage_usd,
        bool_or(is_top_coded) as has_top_coded
    from bands
    group by wage_band

),

band_tasks as (

    select
        bands.wage_band,
        allocation.task_id,
        max(allocation.weight_denominator) as denominator,
        sum(allocation.weight_numerator) as weight_numerator
    from allocation
    inner join bands
        on allocation.onet_soc_code = bands.onet_soc_code
    group by 1, 2

),

allocated as (

    select
        band_tasks.wage_band,
        max(band_tasks.denominator) as denominator,
        sum(cast(usage.n_conversations as {{ type_exact_integer() }}) * band_tasks.weight_numerator) as numerator,
        cast(sum(usage.n_support_conversations) as bigint) as n_support_conversations,
        max(usage.n_accounts_at_least) as n_accounts_at_least,
        count(*) = count(usage.n_conversations) as is_complete
    from band_tasks
    inner join usage
        on band_tasks.task_id = usage.task_id
    group by band_tasks.wage_band

),

counted as (

    select
        band_ranges.wage_band,
        band_ranges.n_occupations,
        band_ranges.min_median_wage_usd,
        band_ranges.max_median_wage_usd,
        band_ranges.has_top_coded,
        {{ from_numerator('allocated.numerator', 'allocated.denominator') }} as n_conversations,
        allocated.n_support_conversations,
        allocated.n_accounts_at_least,
        allocated.is_complete
    from band_ranges
    left join allocated
        on band_ranges.wage_band = allocated.wage_band

    union all

    select
        'unattributed' as wage_band,
        null as n_occupations,
        null as min_median_wage_usd,
        null as max_median_wage_usd,
        null as has_top_coded,
        cast(n_conversations as double) as n_conversations,
        n_conversations as n_support_conversations,
        n_accounts_at_least,
        false as is_complete
    from residuals

),

final as (

    select
        run.release_id,
        run.taxonomy_release,
        counted.wage_band,
        cast(counted.n_occupations as bigint) as n_occupations,
        cast(counted.min_median_wage_usd as double) as min_median_wage_usd,
        cast(counted.max_median_wage_usd as double) as max_median_wage_usd,
        counted.has_top_coded,
        coalesce(counted.is_complete, false) as is_complete,
        {{ status_of('counted.n_support_conversations') }} as status,
        counted.n_conversations,
        counted.n_support_conversations,
        counted.n_accounts_at_least,
        case when counted.wage_band <> 'unattributed' then {{ share('counted.n_conversations', 'published.n_conversations') }} end as share_of_published_tasks,
        case when counted.wage_band <> 'unattributed' then {{ wilson('counted.n_conversations', 'published.n_conversations', 'lower') }} end as share_of_published_tasks_lower,
        case when counted.wage_band <> 'unattributed' then {{ wilson('counted.n_conversations', 'published.n_conversations', 'upper') }} end as share_of_published_tasks_upper
    from counted
    cross join run
    cross join published

)

select * from final
