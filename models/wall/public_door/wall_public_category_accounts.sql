-- Grain: one row per SOC major group: accounts behind its published tasks, rounded to base 25. Public door.
with groups as (

    select soc_major_code from {{ ref('soc_major_groups') }}

),

draws as (

    select * from {{ door('draws') }}

),

final as (

    select
        groups.soc_major_code,
        case when draws.block_id is not null then 'published' else 'withheld' end as status,
        draws.n_rounded as n_accounts_rounded
    from groups
    left join draws
        on 'accounts|' || groups.soc_major_code = draws.block_id

)

select * from final
