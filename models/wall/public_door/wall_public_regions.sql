-- Grain: one row per region of ISO 3166-2, and one row `other` per country. Public door.
with listed as (

    select
        country_code,
        region_code,
        'region|' || country_code || '|' || region_code as block_id
    from {{ ref('regions') }}

    union all

    select
        country_code,
        'other' as region_code,
        'region|' || country_code || '|*' as block_id
    from {{ ref('countries') }}

),

blocks as (

    select * from {{ door('blocks') }}

),

draws as (

    select * from {{ door('draws') }}

),

final as (

    select
        listed.country_code,
        listed.region_code,
        case when draws.block_id is not null then 'published' else 'withheld' end as status,
        draws.n_rounded as n_conversations,
        draws.n_rounded as n_support_conversations,
        cast(case when draws.block_id is not null then {{ account_band('blocks.n_accounts') }} end as bigint) as n_accounts_at_least
    from listed
    left join blocks
        on listed.block_id = blocks.block_id
    left join draws
        on blocks.block_id = draws.block_id

)

select * from final
