-- Grain: one row per published country (or `other`) and soc_group.
with cells as (

    select * from {{ ref('wall_public_geographies') }}

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
        cells.soc_group,
        coalesce(groups.title, case cells.soc_group when 'several' then 'Tasks of several groups' else 'Not attributed' end) as soc_group_title,
        cells.status,
        cells.n_conversations,
        cells.n_support_conversations,
        cells.n_accounts_at_least,
        {{ share_columns('share_of_country', 'cells.n_conversations', 'totals.n_conversations') }}
    from cells
    inner join totals
        on cells.country_code = totals.country_code
    left join {{ ref('soc_major_groups') }} as groups
        on cells.soc_group = groups.soc_major_code
    cross join run

)

select * from final
