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

without_accounts as (

    select
        with_statistics.block,
        all_accounts.account,
        all_accounts.n - coalesce(with_cells.n, 0) as n
    from with_statistics
    cross join all_accounts
    left join with_cells
        on
            with_statistics.block = with_cells.block
            and all_accounts.account = with_cells.account
    where all_accounts.n > coalesce(with_cells.n, 0)

),

without_statistics as (

    {{ block_statistics('without_accounts', ['block']) }}

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
        and coalesce({{ is_safe_block('rest', 'policy') }}, false) as is_safe
    from with_statistics as chosen
    cross join policy
    left join without_statistics as rest
        on chosen.block = rest.block

)

select * from final
