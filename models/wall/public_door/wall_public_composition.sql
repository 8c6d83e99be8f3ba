-- Grain: one row per facet (work, coursework, personal use), SOC group and option. Public door.
with groups as (

    select soc_major_code as soc_group from {{ ref('soc_major_groups') }}

    union all

    select 'several' as soc_group

),

options as (

    select
        facet,
        option_id
    from {{ ref('facet_options') }}
    where facet in ('work_use', 'coursework_use', 'personal_use')

    union all

    select distinct
        facet,
        'not_attributed' as option_id
    from {{ ref('facet_options') }}
    where facet in ('work_use', 'coursework_use', 'personal_use')

),

blocks as (

    select * from {{ door('blocks') }}

),

draws as (

    select * from {{ door('draws') }}

),

final as (

    select
        options.facet,
        groups.soc_group,
        options.option_id,
        case when draws.block_id is not null then 'published' else 'withheld' end as status,
        draws.n_rounded as n_conversations,
        draws.n_rounded as n_support_conversations,
        cast(case when draws.block_id is not null then {{ account_band('blocks.n_accounts') }} end as bigint) as n_accounts_at_least
    from groups
    cross join options
    left join blocks
        on
            'composition|' || options.facet || '|' || groups.soc_group || '|'
            || case when options.option_id = 'not_attributed' then '*' else options.option_id end
            = blocks.block_id
    left join draws
        on blocks.block_id = draws.block_id

)

select * from final
