-- Grain: one row per count that is to be rounded: conversations of blocks, accounts of SOC major groups.
with policy as (

    select * from {{ ref('wall_policy') }}

),

final as (

    select
        block_id,
        n,
        record_digest,
        rounding_base
    from {{ ref('wall_blocks') }}

    union all

    select
        'accounts|' || accounts.soc_major_code as block_id,
        accounts.n_accounts as n,
        accounts.record_digest,
        policy.account_rounding_base as rounding_base
    from {{ ref('wall_category_accounts') }} as accounts
    cross join policy
    where accounts.n_accounts >= policy.min_accounts_for_exact_band

)

select * from final
