-- Every block of the spine counted a second time, straight from the conversations and by other means (distinct accounts,
-- ranks): conversations, accounts, the largest account and the two largest together are what the wall says.
{{ config(group='private_side', enabled=not is_imported()) }}
with conversations as (

    select
        facts.task_id,
        facts.collaboration_pattern,
        case
            when policy.privacy_unit = 'organization' then coalesce(facts.organization_key, '')
            else coalesce(facts.account_key, '')
        end as person
    from {{ ref('fct_conversations') }} as facts
    cross join {{ ref('wall_policy') }} as policy
    where facts.outcome = 'classified'

),

placed as (

    select
        spine.block,
        conversations.person,
        count(*) as n
    from conversations
    left join {{ ref('wall_spine') }} as spine
        on
            conversations.task_id = spine.task_id
            and conversations.collaboration_pattern is not distinct from spine.collaboration_pattern
    group by spine.block, conversations.person

),

ranked as (

    select
        block,
        person,
        n,
        row_number() over (partition by block order by n desc, person asc) as place
    from placed
    where block is not null

),

recounted as (

    select
        block,
        sum(n) as n,
        count(distinct person) as n_accounts,
        sum(case when place = 1 then n else 0 end) as n_largest,
        sum(case when place in (1, 2) then n else 0 end) as n_two_largest
    from ranked
    group by block

)

select
    blocks.block,
    recounted.n,
    recounted.n_accounts,
    recounted.n_largest,
    recounted.n_two_largest
from recounted
full outer join {{ ref('wall_spine_blocks') }} as blocks
    on recounted.block = blocks.block
where
    not coalesce(
        recounted.n = blocks.n
        and recounted.n_accounts = blocks.n_accounts
        and recounted.n_largest = blocks.n_largest
        and recounted.n_two_largest = blocks.n_two_largest,
        false
    )
