-- Grain: one row per outcome of a conversation; outcomes that are not safe alone are merged into `other`. Public door.
with outcomes as (

    select
        outcome,
        position
    from (
        values
        ('quarantined', 1),
        ('duplicate', 2),
        ('safety_filtered', 3),
        ('screened_out', 4),
        ('none', 5),
        ('unclassified', 6),
        ('failed', 7),
        ('other', 8)
    ) as listed (outcome, position)

),

blocks as (

    select * from {{ door('blocks') }}

),

draws as (

    select * from {{ door('draws') }}

),

classified as (

    select
        cast(sum(draws.n_rounded) as bigint) as n_conversations,
        max({{ account_band('blocks.n_accounts') }}) as n_accounts_at_least
    from blocks
    inner join draws
        on blocks.block_id = draws.block_id
    where blocks.family = 'spine'

),

counted as (

    select
        outcomes.outcome,
        outcomes.position,
        draws.n_rounded as n_conversations,
        case when draws.block_id is not null then {{ account_band('blocks.n_accounts') }} end as n_accounts_at_least
    from outcomes
    left join blocks
        on 'outcome|all|' || case when outcomes.outcome = 'other' then '*' else outcomes.outcome end = blocks.block_id
    left join draws
        on blocks.block_id = draws.block_id

    union all

    select
        'classified' as outcome,
        9 as position,
        n_conversations,
        n_accounts_at_least
    from classified

),

final as (

    select
        outcome,
        cast(position as integer) as position,
        case when n_conversations is not null then 'published' else 'withheld' end as status,
        cast(n_conversations as bigint) as n_conversations,
        cast(n_conversations as bigint) as n_support_conversations,
        cast(n_accounts_at_least as bigint) as n_accounts_at_least
    from counted

)

select * from final
