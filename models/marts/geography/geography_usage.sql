-- Grain: one row per country, and one row `other` for countries too small to be shown.
{#
    Usage index (later reports): the share of use over the share of the working-age population, both over the countries
    that are published. Populations come from the user's own reference file (docs/methods.md); without it the index is null.
    Tiers are quartiles of the index over published countries: 1 emerging to 4 leading.
#}
with countries as (

    select
        country_code,
        country_name
    from {{ ref('countries') }}

    union all

    select
        'other' as country_code,
        'Other countries' as country_name

),

cells as (

    select * from {{ ref('wall_public_geographies') }}

),

populations as (

    select * from {{ ref('country_populations') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

counted as (

    select
        country_code,
        cast(sum(n_conversations) as bigint) as n_conversations,
        max(n_accounts_at_least) as n_accounts_at_least,
        count(case when soc_group <> 'not_attributed' then n_conversations end) as n_categories_published
    from cells
    group by country_code

),

joined as (

    select
        countries.country_code,
        countries.country_name,
        counted.n_conversations,
        counted.n_accounts_at_least,
        counted.n_categories_published,
        case when counted.n_conversations is not null then populations.working_age_population end as working_age_population
    from countries
    inner join counted
        on countries.country_code = counted.country_code
    left join populations
        on countries.country_code = populations.country_code

),

totals as (

    select
        sum(n_conversations) as n_conversations,
        sum(case when working_age_population is not null then n_conversations end) as n_conversations_with_population,
        sum(working_age_population) as working_age_population
    from joined

),

indexed as (

    select
        joined.*,
        case
            when joined.working_age_population is not null
                then
                    {{ share('joined.n_conversations', 'totals.n_conversations_with_population') }}
                    / nullif({{ share('joined.working_age_population', 'totals.working_age_population') }}, 0)
        end as ratio_of_usage_to_population,
        totals.n_conversations as n_conversations_total
    from joined
    cross join totals

),

tiered as (

    select
        *,
        case
            when ratio_of_usage_to_population is not null
                then ntile(4) over (
                    partition by ratio_of_usage_to_population is null
                    order by ratio_of_usage_to_population, country_code
                )
        end as usage_tier
    from indexed

),

final as (

    select
        run.release_id,
        tiered.country_code,
        tiered.country_name,
        {{ status_of('tiered.n_conversations') }} as status,
        tiered.n_conversations,
        tiered.n_conversations as n_support_conversations,
        tiered.n_accounts_at_least,
        {{ share_columns('share_of_classified', 'tiered.n_conversations', 'tiered.n_conversations_total') }},
        tiered.ratio_of_usage_to_population,
        cast(tiered.usage_tier as integer) as usage_tier
    from tiered
    cross join run

)

select * from final
