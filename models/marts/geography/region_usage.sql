-- Grain: one row per region of a country that shows regions, and one row `other` per such country.
with cells as (

    select * from {{ ref('wall_public_regions') }}

),

regions as (

    select * from {{ ref('regions') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

totals as (

    select
        country_code,
        sum(n_conversations) as n_conversations
    from cells
    group by country_code
    having sum(n_conversations) is not null

),

final as (

    select
        run.release_id,
        cells.country_code,
        cells.region_code,
        coalesce(regions.region_name, 'Other regions') as region_name,
        cells.status,
        cells.n_conversations,
        cells.n_support_conversations,
        cells.n_accounts_at_least,
        {{ share_columns('share_of_country', 'cells.n_conversations', 'totals.n_conversations') }}
    from cells
    inner join totals
        on cells.country_code = totals.country_code
    left join regions
        on cells.region_code = regions.region_code
    cross join run

)

select * from final
