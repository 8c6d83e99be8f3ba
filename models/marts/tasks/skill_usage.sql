-- Grain: one row per occupational skill.
with skills as (

    select * from {{ ref('skills') }}

),

usage as (

    select * from {{ ref('wall_public_facets') }}
    where facet = 'skill'

),

run as (

    select * from {{ ref('wall_public_run') }}

),

classified as (

    select n_conversations
    from {{ ref('wall_public_outcomes') }}
    where outcome = 'classified'

),

final as (

    select
        run.release_id,
        skills.skill,
        skills.label,
        usage.status,
        usage.n_conversations,
        usage.n_support_conversations,
        usage.n_accounts_at_least,
        {{ share_columns('share_of_classified', 'usage.n_conversations', 'classified.n_conversations') }}
    from skills
    inner join usage
        on skills.skill = usage.option_id
    cross join run
    cross join classified

)

select * from final
