-- Grain: one row per outcome of a conversation.
with outcomes as (

    select * from {{ ref('wall_public_outcomes') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

total as (

    select sum(n_conversations) as n_conversations from outcomes

),

final as (

    select
        run.release_id,
        outcomes.outcome,
        outcomes.position,
        outcomes.status,
        outcomes.n_conversations,
        outcomes.n_support_conversations,
        outcomes.n_accounts_at_least,
        {{ share_columns('share_of_published_outcomes', 'outcomes.n_conversations', 'total.n_conversations') }}
    from outcomes
    cross join run
    cross join total

)

select * from final
