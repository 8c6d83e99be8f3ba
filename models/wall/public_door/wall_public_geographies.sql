-- Grain: one row per country (or `other`) and soc_group, one `not_attributed` row per country. Public door.
with units as (

    select country_code from {{ ref('countries') }}

    union all

    select 'other' as country_code

),

columns_listed as (

    select soc_major_code as column_key from {{ ref('soc_major_groups') }}

    union all

    select 'several' as column_key

),

listed as (

    select
        units.country_code,
        columns_listed.column_key,
        'geography_category|' || units.country_code || '|' || columns_listed.column_key as block_id
    from units
    cross join columns_listed

    union all

    select
        country_code,
        'not_attributed' as column_key,
        'geography_category|' || country_code || '|*' as block_id
    from units

),

blocks as (

    select * from {{ door('blocks') }}

),

draws as (

    select * from {{ door('draws') }}

),

counted as (

    select
        listed.country_code,
        listed.column_key,
        cast(sum(draws.n_rounded) as bigint) as n_conversations,
        max(case when draws.block_id is not null then {{ account_band('blocks.n_accounts') }} end) as n_accounts_at_least
    from listed
    left join blocks
        on listed.block_id = blocks.block_id
    left join draws
        on blocks.block_id = draws.block_id
    group by 1, 2

),

final as (

    select
        country_code,
        column_key as soc_group,
        case when n_conversations is not null then 'published' else 'withheld' end as status,
        n_conversations,
        n_conversations as n_support_conversations,
        cast(n_accounts_at_least as bigint) as n_accounts_at_least
    from counted

)

select * from final
