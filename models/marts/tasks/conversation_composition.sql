-- Grain: one row per facet (work, coursework, personal use), SOC group or `all`, and answer.
with cells as (

    select * from {{ ref('wall_public_composition') }}

),

rests as (

    select * from {{ ref('wall_public_rests') }}
    where family in ('work_use', 'coursework_use', 'personal_use')

),

options as (

    select * from {{ ref('facet_options') }}

),

groups as (

    select * from {{ ref('soc_major_groups') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

overall as (

    select
        parts.facet,
        'all' as soc_group,
        parts.option_id,
        cast(sum(parts.n_conversations) as bigint) as n_conversations,
        max(parts.n_accounts_at_least) as n_accounts_at_least
    from (
        select
            facet,
            option_id,
            n_conversations,
            n_accounts_at_least
        from cells
        where option_id <> 'not_attributed'
        union all
        select
            family as facet,
            child as option_id,
            n_conversations,
            n_accounts_at_least
        from rests
    ) as parts
    group by 1, 3

),

unioned as (

    select
        facet,
        soc_group,
        option_id,
        n_conversations,
        n_accounts_at_least
    from cells

    union all

    select
        facet,
        soc_group,
        option_id,
        n_conversations,
        n_accounts_at_least
    from overall

),

bases as (

    select
        facet,
        soc_group,
        sum(n_conversations) as n_conversations
    from unioned
    group by 1, 2

),

final as (

    select
        run.release_id,
        unioned.facet,
        unioned.soc_group,
        coalesce(groups.title, case unioned.soc_group when 'all' then 'All groups' else 'Tasks of several groups' end) as soc_group_title,
        unioned.option_id,
        coalesce(options.label, 'Not attributed') as label,
        {{ status_of('unioned.n_conversations') }} as status,
        unioned.n_conversations,
        unioned.n_conversations as n_support_conversations,
        unioned.n_accounts_at_least,
        {{ share_columns('share_of_group', 'unioned.n_conversations', 'bases.n_conversations') }}
    from unioned
    inner join bases
        on
            unioned.facet = bases.facet
            and unioned.soc_group = bases.soc_group
    left join options
        on
            unioned.facet = options.facet
            and unioned.option_id = options.option_id
    left join groups
        on unioned.soc_group = groups.soc_major_code
    cross join run

)

select * from final
