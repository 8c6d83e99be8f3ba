-- Grain: one row per family, unit (SOC group or `all`) and child: what is not in a published cell of its own. Public door.
with units as (

    select soc_major_code as unit from {{ ref('soc_major_groups') }}

    union all

    select 'several' as unit

),

patterns as (

    select pattern as child from {{ ref('collaboration_patterns') }}

    union all

    select 'not_attributed' as child

),

children as (

    select
        'pattern' as family,
        units.unit,
        patterns.child,
        'rest|pattern|' || units.unit || '|' as block_prefix
    from units
    cross join patterns

    union all

    select
        'pattern' as family,
        'all' as unit,
        child,
        'last_rest|pattern|' as block_prefix
    from patterns

    union all

    select
        'model' as family,
        'all' as unit,
        model as child,
        'rest|model|' as block_prefix
    from (
        select model from {{ ref('assistant_models') }}
        union all
        select 'not_attributed' as model
    ) as models

    union all

    select
        'thinking' as family,
        'all' as unit,
        answer as child,
        'rest|thinking|' as block_prefix
    from (
        select 'yes' as answer
        union all
        select 'no' as answer
        union all
        select 'not_attributed' as answer
    ) as answers

    union all

    select
        facet as family,
        'all' as unit,
        option_id as child,
        'rest|' || facet || '|' as block_prefix
    from (
        select
            facet,
            option_id
        from {{ ref('facet_options') }}
        union all
        select distinct
            facet,
            'not_attributed' as option_id
        from {{ ref('facet_options') }}
    ) as options
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
        children.family,
        children.unit,
        children.child,
        case when draws.block_id is not null then 'published' else 'withheld' end as status,
        draws.n_rounded as n_conversations,
        draws.n_rounded as n_support_conversations,
        cast(case when draws.block_id is not null then {{ account_band('blocks.n_accounts') }} end as bigint) as n_accounts_at_least
    from children
    left join blocks
        on
            children.block_prefix
            || case when children.child = 'not_attributed' then '*' else children.child end
            = blocks.block_id
    left join draws
        on blocks.block_id = draws.block_id

)

select * from final
