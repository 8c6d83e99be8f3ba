-- Grain: one row per facet of the registry and option (multi-label facets and generic ones). Public door.
with options as (

    select
        facet_options.facet,
        facet_options.option_id,
        facets.answer_type
    from {{ ref('facet_options') }} as facet_options
    inner join {{ ref('facets') }} as facets
        on facet_options.facet = facets.facet
    where
        facets.answer_type = 'multi'
        or facets.is_generic_mart

    union all

    select
        facet,
        'not_attributed' as option_id,
        answer_type
    from {{ ref('facets') }}
    where
        is_generic_mart
        and answer_type in ('choice', 'ordinal', 'flag')

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
        options.option_id,
        case when draws.block_id is not null then 'published' else 'withheld' end as status,
        draws.n_rounded as n_conversations,
        draws.n_rounded as n_support_conversations,
        cast(case when draws.block_id is not null then {{ account_band('blocks.n_accounts') }} end as bigint) as n_accounts_at_least
    from options
    left join blocks
        on
            case when options.answer_type = 'multi' then 'multi_label|' else 'facet|' end
            || options.facet || '|'
            || case when options.option_id = 'not_attributed' then '*' else options.option_id end
            = blocks.block_id
    left join draws
        on blocks.block_id = draws.block_id

)

select * from final
