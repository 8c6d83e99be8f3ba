-- Grain: one row per residual: per occupation, per SOC major group, and the global one. Public door.
with blocks as (

    select * from {{ door('spine_blocks') }}

),

draws as (

    select * from {{ door('draws') }}

),

units as (

    select
        'occupation' as residual_level,
        onet_soc_code as unit
    from {{ ref('occupations') }}

    union all

    select
        'soc_major_group' as residual_level,
        soc_major_code as unit
    from {{ ref('soc_major_groups') }}

    union all

    select
        'global' as residual_level,
        'global' as unit

),

counted as (

    select
        case blocks.block_level when 'soc' then 'soc_major_group' else blocks.block_level end as residual_level,
        coalesce(blocks.onet_soc_code, blocks.soc_major_code, 'global') as unit,
        draws.n_rounded as n_conversations,
        {{ account_band('blocks.n_accounts') }} as n_accounts_at_least
    from blocks
    inner join draws
        on 'spine|' || blocks.block = draws.block_id
    where blocks.block_level <> 'task'

),

final as (

    select
        units.residual_level,
        units.unit,
        case when counted.unit is not null then 'published' else 'withheld' end as status,
        counted.n_conversations,
        counted.n_conversations as n_support_conversations,
        cast(counted.n_accounts_at_least as bigint) as n_accounts_at_least
    from units
    left join counted
        on
            units.residual_level = counted.residual_level
            and units.unit = counted.unit

)

select * from final
