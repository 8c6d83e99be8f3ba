-- Grain: one row per count of an imported release: blocks of the spine, patterns, outcomes.
{#
    Interaction types of a published release come from a sample of their own, so they cannot be crossed with its tasks:
    they fill the last rest of the pattern family, which is the part of collaboration_usage that no task shows.
#}
with spine_blocks as (

    select * from {{ ref('imported_spine_blocks') }}

),

patterns as (

    select * from {{ imported_table('patterns') }}

),

outcomes as (

    select * from {{ imported_table('outcomes') }}

),

unioned as (

    select
        'spine' as family,
        'spine|' || block as block_id,
        n
    from spine_blocks

    union all

    select
        'last_rest' as family,
        'last_rest|pattern|' || case when collaboration_pattern = 'not_attributed' then '*' else collaboration_pattern end as block_id,
        n_conversations as n
    from patterns

    union all

    select
        'outcome' as family,
        'outcome|all|' || outcome as block_id,
        n_conversations as n
    from outcomes

),

final as (

    select
        family,
        block_id,
        n,
        {{ floor_accounts() }} as n_accounts
    from unioned
    where n >= {{ floor_conversations() }}

)

select * from final
