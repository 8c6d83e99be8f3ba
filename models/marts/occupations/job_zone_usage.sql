-- Grain: one row per job zone, one for occupations without a zone, one `unattributed` row.
{#
    The paper's Table 2 divides the share of use by a base. Which base decides the story, so all three are here:
    (occupation, published task) pairs, which is the paper's; occupations; and US employment.
#}
with zones as (

    select * from {{ ref('job_zones') }}

),

occupations as (

    select * from {{ ref('occupations') }}

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

placed as (

    select
        onet_soc_code,
        coalesce(cast(job_zone as {{ dbt.type_string() }}), 'no_zone') as job_zone,
        n_employed
    from occupations

),

zone_occupations as (

    select
        job_zone,
        count(*) as n_occupations,
        sum(n_employed) as n_employed
    from placed
    group by job_zone

),

zone_tasks as (

    select
        placed.job_zone,
        allocation.task_id,
        max(allocation.weight_denominator) as denominator,
        count(*) as n_pairs,
        sum(allocation.weight_numerator) as weight_numerator
    from allocation
    inner join placed
        on allocation.onet_soc_code = placed.onet_soc_code
    group by 1, 2

),

allocated as (

    select
        zone_tasks.job_zone,
        max(zone_tasks.denominator) as denominator,
        sum(cast(usage.n_conversations as {{ type_exact_integer() }}) * zone_tasks.weight_numerator) as numerator,
        cast(sum(usage.n_support_conversations) as bigint) as n_support_conversations,
        max(usage.n_accounts_at_least) as n_accounts_at_least,
        cast(sum(case when usage.status = 'published' then zone_tasks.n_pairs else 0 end) as bigint) as n_published_pairs,
        count(*) = count(usage.n_conversations) as is_complete
    from zone_tasks
    inner join usage
        on zone_tasks.task_id = usage.task_id
    group by zone_tasks.job_zone

),

counted as (

    select
        listed.job_zone,
        listed.name,
        zone_occupations.n_occupations,
        zone_occupations.n_employed,
        coalesce(allocated.n_published_pairs, 0) as n_published_pairs,
        allocated.numerator,
        {{ from_numerator('allocated.numerator', 'allocated.denominator') }} as n_conversations,
        allocated.n_support_conversations,
        allocated.n_accounts_at_least,
        allocated.is_complete
    from (
        select
            cast(job_zone as {{ dbt.type_string() }}) as job_zone,
            name
        from zones
        union all
        select
            'no_zone' as job_zone,
            'No job zone' as name
    ) as listed
    left join zone_occupations
        on listed.job_zone = zone_occupations.job_zone
    left join allocated
        on listed.job_zone = allocated.job_zone

),

-- Bases run over the five zones only, as in the paper: what has no zone is in none of the shares.
bases as (

    select
        {{ from_numerator('sum(numerator)', "max((select max(denominator) from allocated))") }} as n_conversations,
        sum(n_occupations) as n_occupations,
        sum(n_employed) as n_employed,
        sum(n_published_pairs) as n_published_pairs
    from counted
    where job_zone <> 'no_zone'

),

shared as (

    select
        counted.*,
        {{ share('counted.n_conversations', 'bases.n_conversations') }} as share_of_zoned,
        {{ wilson('counted.n_conversations', 'bases.n_conversations', 'lower') }} as share_of_zoned_lower,
        {{ wilson('counted.n_conversations', 'bases.n_conversations', 'upper') }} as share_of_zoned_upper,
        {{ share('counted.n_published_pairs', 'bases.n_published_pairs') }} as share_of_used_pairs,
        {{ share('counted.n_occupations', 'bases.n_occupations') }} as share_of_occupations,
        {{ share('counted.n_employed', 'bases.n_employed') }} as share_of_us_employment
    from counted
    cross join bases

),

unioned as (

    select
        job_zone,
        name,
        n_occupations,
        coalesce(is_complete, false) as is_complete,
        n_conversations,
        n_support_conversations,
        n_accounts_at_least,
        case when job_zone <> 'no_zone' then share_of_zoned end as share_of_zoned,
        case when job_zone <> 'no_zone' then share_of_zoned_lower end as share_of_zoned_lower,
        case when job_zone <> 'no_zone' then share_of_zoned_upper end as share_of_zoned_upper,
        case when job_zone <> 'no_zone' then share_of_used_pairs end as share_of_used_pairs,
        case when job_zone <> 'no_zone' then share_of_occupations end as share_of_occupations,
        case when job_zone <> 'no_zone' then share_of_us_employment end as share_of_us_employment
    from shared

    union all

    select
        'unattributed' as job_zone,
        'Unattributed' as name,
        null as n_occupations,
        false as is_complete,
        cast(n_conversations as double) as n_conversations,
        n_conversations as n_support_conversations,
        n_accounts_at_least,
        null as share_of_zoned,
        null as share_of_zoned_lower,
        null as share_of_zoned_upper,
        null as share_of_used_pairs,
        null as share_of_occupations,
        null as share_of_us_employment
    from residuals

),

final as (

    select
        run.release_id,
        run.taxonomy_release,
        unioned.job_zone,
        unioned.name,
        cast(unioned.n_occupations as bigint) as n_occupations,
        unioned.is_complete,
        {{ status_of('unioned.n_support_conversations') }} as status,
        unioned.n_conversations,
        unioned.n_support_conversations,
        unioned.n_accounts_at_least,
        unioned.share_of_zoned,
        unioned.share_of_zoned_lower,
        unioned.share_of_zoned_upper,
        unioned.share_of_used_pairs,
        unioned.share_of_zoned / nullif(unioned.share_of_used_pairs, 0) as ratio_to_used_pairs,
        unioned.share_of_occupations,
        unioned.share_of_zoned / nullif(unioned.share_of_occupations, 0) as ratio_to_occupations,
        unioned.share_of_us_employment,
        unioned.share_of_zoned / nullif(unioned.share_of_us_employment, 0) as ratio_to_us_employment
    from unioned
    cross join run

)

select * from final
