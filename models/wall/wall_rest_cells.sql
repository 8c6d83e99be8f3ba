-- Grain: one row per rest, child and account: what is not counted in a cell of its own, by pattern, model or option.
{#
    Shares over everything (the pattern of all conversations, the model of all conversations) would be wrong if they were
    sums of published cells alone: small tasks hide more of their rare patterns. So what is left over is split once more,
    by the child alone, and closed in the same way: patterns within the SOC group of their block (and what stays hidden
    there once more over all groups, wall_last_rest_cells), models, thinking and composition over everything.
    `n_largest_block` is the largest hidden block that the rest is made of.
#}
with pattern_cells as (

    select * from {{ ref('wall_pattern_cells') }}

),

spine as (

    select * from {{ ref('wall_spine') }}

),

family_cells as (

    select * from {{ ref('wall_family_cells') }}

),

closure as (

    select * from {{ ref('wall_family_closure') }}

),

holders as (

    select
        task_id,
        min(soc_major_code) as soc_major_code,
        count(distinct soc_major_code) as n_soc_major_groups
    from {{ ref('task_occupations') }}
    group by task_id

),

unpublished_tasks as (

    select
        spine.block,
        conversations.account,
        conversations.model,
        case when conversations.is_extended_thinking then 'yes' when not conversations.is_extended_thinking then 'no' end as thinking,
        conversations.record
    from {{ ref('wall_conversations') }} as conversations
    inner join spine
        on
            conversations.task_id = spine.task_id
            and conversations.collaboration_pattern is not distinct from spine.collaboration_pattern
    where
        conversations.outcome = 'classified'
        and spine.block not like 'task|%'

),

hidden as (

    select
        'pattern|' || case
            when spine.block like 'occupation|%' then substr(split_part(spine.block, '|', 2), 1, 2)
            when spine.block like 'soc|%' then split_part(spine.block, '|', 2)
            when spine.block like 'task|%' and holders.n_soc_major_groups = 1 then holders.soc_major_code
            else 'several'
        end as family,
        case
            when spine.block like 'task|%'
                then 'task|' || cast(spine.task_id as {{ dbt.type_string() }})
            else spine.block
        end as hidden_block,
        cells.child,
        cells.account,
        cells.n,
        cells.digest
    from pattern_cells as cells
    inner join spine
        on
            cells.parent = spine.task_id
            and cells.child is not distinct from spine.collaboration_pattern
    inner join holders
        on spine.task_id = holders.task_id
    where
        spine.block not like 'task|%'
        or spine.block like 'task|%|*'

    union all

    select
        case when cells.family = 'composition' then split_part(cells.parent, '|', 1) else cells.family end as family,
        cells.family || '|' || cells.parent as hidden_block,
        cells.child,
        cells.account,
        cells.n,
        cells.digest
    from family_cells as cells
    inner join closure
        on
            cells.family = closure.family
            and cells.parent = closure.parent
            and cells.child is not distinct from closure.child
    where
        cells.family in ('model', 'thinking', 'composition')
        and (closure.block is null or closure.block = '*')

    union all

    select
        'model' as family,
        block as hidden_block,
        model as child,
        account,
        count(*) as n,
        bit_xor(record) as digest
    from unpublished_tasks
    group by 1, 2, 3, 4

    union all

    select
        'thinking' as family,
        block as hidden_block,
        thinking as child,
        account,
        count(*) as n,
        bit_xor(record) as digest
    from unpublished_tasks
    group by 1, 2, 3, 4

),

hidden_sizes as (

    select
        family,
        max(n) as n_largest_block
    from (
        select
            family,
            hidden_block,
            sum(n) as n
        from hidden
        group by 1, 2
    ) as sizes
    group by family

),

final as (

    select
        hidden.family as parent,
        hidden.child,
        hidden.account,
        hidden_sizes.n_largest_block,
        sum(hidden.n) as n,
        bit_xor(hidden.digest) as digest
    from hidden
    inner join hidden_sizes
        on hidden.family = hidden_sizes.family
    group by 1, 2, 3, 4

)

select * from final
