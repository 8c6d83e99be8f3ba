-- Grain: one row per multi-label facet and option that was chosen at least once (classified conversations).
{#
    Options of a multi-label facet overlap and have no total. A count gives away its complement too, so both those with
    and those without the option must be a safe block (docs/privacy.md, attack A9).
#}
with conversations as (

    select
        wall.input_row,
        wall.account,
        wall.record
    from {{ ref('wall_conversations') }} as wall
    inner join {{ ref('wall_spine') }} as spine
        on
            wall.task_id = spine.task_id
            and wall.collaboration_pattern is not distinct from spine.collaboration_pattern
    where
        wall.outcome = 'classified'
        and spine.block is not null

),

labels as (

    select
        labels.input_row,
        labels.facet,
        labels.option_id
    from {{ ref('fct_conversation_labels') }} as labels
    inner join {{ ref('facets') }} as facets
        on labels.facet = facets.facet
    where facets.answer_type = 'multi'

),

policy as (

    select * from {{ ref('wall_policy') }}

),

with_cells as (

    select
        facet || '|' || option_id as block,
        account,
        n,
        digest
    from (
        select
            labels.facet,
            labels.option_id,
            conversations.account,
            count(*) as n,
            bit_xor(conversations.record) as digest
        from conversations
        inner join labels
            on conversations.input_row = labels.input_row
        group by 1, 2, 3
    ) as counted

),

all_accounts as (

    select
        account,
        count(*) as n
    from conversations
    group by account

),

with_statistics as (

    {{ blocks_from_cells('with_cells', 'block') }}

),

-- Who is left without the option. The two largest accounts are bounded by the two largest of all: stricter than the
-- exact value, and it spares a row per option and account.
totals as (

    {{ block_statistics("(select 'all' as unit, account, n from all_accounts) as everything", ['unit']) }}

),

accounts_always_with as (

    select
        with_cells.block,
        count(*) as n_accounts
    from with_cells
    inner join all_accounts
        on
            with_cells.account = all_accounts.account
            and with_cells.n = all_accounts.n
    group by with_cells.block

),

without_statistics as (

    select
        chosen.block,
        totals.n - chosen.n as n,
        totals.n_accounts - coalesce(accounts_always_with.n_accounts, 0) as n_accounts,
        totals.n_largest,
        totals.n_two_largest
    from with_statistics as chosen
    cross join totals
    left join accounts_always_with
        on chosen.block = accounts_always_with.block

),

final as (

    select
        split_part(chosen.block, '|', 1) as facet,
        split_part(chosen.block, '|', 2) as option_id,
        chosen.n,
        chosen.n_accounts,
        chosen.n_largest,
        chosen.n_two_largest,
        chosen.record_digest,
        {{ is_safe_block('chosen', 'policy') }}
        and {{ is_safe_block('rest', 'policy') }} as is_safe
    from with_statistics as chosen
    cross join policy
    inner join without_statistics as rest
        on chosen.block = rest.block

)

select * from final
