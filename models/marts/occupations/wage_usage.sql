-- Grain: one row per occupation with a median wage.
with occupations as (

    select * from {{ ref('occupations') }}
    where median_wage_usd is not null

),

usage as (

    select * from {{ ref('occupation_usage') }}

),

ranked as (

    select
        onet_soc_code,
        median_wage_usd,
        is_top_coded,
        -- Quartiles over occupations with a wage; the code breaks ties, so that the same input gives the same bands.
        ntile(4) over (order by median_wage_usd, onet_soc_code) as wage_quartile
    from occupations

),

final as (

    select
        usage.release_id,
        usage.taxonomy_release,
        usage.onet_soc_code,
        usage.title,
        usage.soc_major_code,
        cast(ranked.median_wage_usd as double) as median_wage_usd,
        ranked.is_top_coded,
        cast(ranked.wage_quartile as integer) as wage_quartile,
        usage.is_complete,
        usage.status,
        usage.n_conversations,
        usage.n_support_conversations,
        usage.n_accounts_at_least,
        usage.share_of_published_tasks,
        usage.share_of_published_tasks_lower,
        usage.share_of_published_tasks_upper
    from usage
    inner join ranked
        on usage.onet_soc_code = ranked.onet_soc_code

)

select * from final
