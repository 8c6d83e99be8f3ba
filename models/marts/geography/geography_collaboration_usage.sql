-- Grain: one row per published country (or `other`) and collaboration_pattern.
with cells as (

    select * from {{ ref('wall_public_geography_patterns') }}

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
        cells.collaboration_pattern,
        coalesce(patterns.label, 'Not attributed') as label,
        cells.status,
        cells.n_conversations,
        cells.n_support_conversations,
        cells.n_accounts_at_least,
        {{ share_columns('share_of_country', 'cells.n_conversations', 'totals.n_conversations') }}
    from cells
    inner join totals
        on cells.country_code = totals.country_code
    left join {{ ref('collaboration_patterns') }} as patterns
        on cells.collaboration_pattern = patterns.pattern
    cross join run

)

select * from final
