-- Grain: one row per side, earlier block and present block between which conversations moved since the last publication.
{#
    Whoever holds both releases can subtract them. All that subtraction gives are sums of groups of conversations that left
    the same block for the same other block (or came from nowhere, or went). So each such group is judged by the rule for
    blocks, on its real accounts. Options of multi-label facets have a complement that is known too (A9): 'without'.
    Without an earlier publication of the window this table is empty, and nothing is compared.
#}
with earlier as (

    select * from {{ ref('published_records') }}

),

previous as (

    select distinct previous_release_id
    from earlier

),

present as (

    select
        previous.previous_release_id,
        records.side,
        records.block_id,
        records.account,
        records.record
    from previous
    inner join {{ ref('present_records') }} as records
        on true

),

policy as (

    select * from {{ ref('wall_policy') }}

),

compared as (

    select
        coalesce(present.previous_release_id, earlier.previous_release_id) as previous_release_id,
        coalesce(present.side, earlier.side) as side,
        coalesce(present.account, earlier.account) as account,
        coalesce(present.record, earlier.record) as record,
        earlier.block_id as block_before,
        present.block_id as block_now
    from earlier
    full outer join present
        on
            earlier.side = present.side
            and earlier.record = present.record
    where
        earlier.block_id is distinct from present.block_id
        -- The same conversation under another account changes who stands behind the block.
        or earlier.account is distinct from present.account

),

-- Classified conversations that came or went: each option gains or loses them, with or without it.
comings as (

    select
        previous_release_id,
        account,
        record,
        block_before is null as is_coming
    from compared
    where
        side = 'spine'
        and (block_before is null or block_now is null)

),

options as (

    select distinct side
    from (
        select side from earlier
        union all
        select side from present
    ) as sides
    where side like 'multi_label|%'

),

option_changes as (

    select
        previous_release_id,
        side,
        account,
        record,
        -- Who neither came nor went is on the other side of the option.
        case when block_before is null and comings_record is null then 'without' else block_before end as block_before,
        case when block_now is null and comings_record is null then 'without' else block_now end as block_now
    from (
        select
            compared.*,
            comings.record as comings_record
        from compared
        left join comings
            on compared.record = comings.record
        where compared.side like 'multi_label|%'
    ) as changed

    union all

    select
        comings.previous_release_id,
        options.side,
        comings.account,
        comings.record,
        case when not comings.is_coming then 'without' end as block_before,
        case when comings.is_coming then 'without' end as block_now
    from comings
    cross join options
    left join compared
        on
            options.side = compared.side
            and comings.record = compared.record
    where compared.record is null

),

moves as (

    select
        previous_release_id,
        side,
        account,
        block_before,
        block_now
    from compared
    where side not like 'multi_label|%'

    union all

    select
        previous_release_id,
        side,
        account,
        block_before,
        block_now
    from option_changes

),

move_accounts as (

    select
        previous_release_id,
        side,
        coalesce(block_before, 'nothing') as block_before,
        coalesce(block_now, 'nothing') as block_now,
        account,
        count(*) as n
    from moves
    group by 1, 2, 3, 4, 5

),

statistics as (

    {{ block_statistics('move_accounts', ['previous_release_id', 'side', 'block_before', 'block_now']) }}

),

final as (

    select
        statistics.previous_release_id,
        statistics.side,
        statistics.block_before,
        statistics.block_now,
        statistics.n,
        statistics.n_accounts,
        {{ is_safe_block('statistics', 'policy') }} as is_safe
    from statistics
    cross join policy

)

select * from final
