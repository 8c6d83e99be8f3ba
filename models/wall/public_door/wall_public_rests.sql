-- Grain: one row per family and child: what is not in a published cell of its own, split by pattern, model, or option. Public door.
with children as (

    select
        'pattern' as family,
        pattern as child
    from {{ ref('collaboration_patterns') }}

    union all

    select
        'model' as family,
        model as child
    from {{ ref('assistant_models') }}

    union all

    select
        'thinking' as family,
        answer as child
    from (select 'yes' as answer union all select 'no' as answer) as answers

    union all

    select
        facet as family,
        option_id as child
    from {{ ref('facet_options') }}
    where facet in ('work_use', 'coursework_use', 'personal_use')

    union all

    select
        family,
        'not_attributed' as child
    from (
        select 'pattern' as family
        union all select 'model' as family
        union all select 'thinking' as family
        union all select 'work_use' as family
        union all select 'coursework_use' as family
        union all select 'personal_use' as family
    ) as families

),

blocks as (

    select * from {{ ref('wall_blocks') }}

),

draws as (

    select * from {{ ref('wall_draws') }}

),

final as (

    select
        children.family,
        children.child,
        case when draws.block_id is not null then 'published' else 'withheld' end as status,
        draws.n_rounded as n_conversations,
        draws.n_rounded as n_support_conversations,
        cast(case when draws.block_id is not null then {{ account_band('blocks.n_accounts') }} end as bigint) as n_accounts_at_least
    from children
    left join blocks
        on
            'rest|' || children.family || '|'
            || case when children.child = 'not_attributed' then '*' else children.child end
            = blocks.block_id
    left join draws
        on blocks.block_id = draws.block_id

)

select * from final
