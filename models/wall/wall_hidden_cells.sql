-- Grain: one row per rest, hidden block, child and account: what is not counted in a cell of its own.
{#
    A hidden block is a residual of the spine, what a task hides of its patterns, models or answers about thinking, or
    what a SOC group hides of its answers about use. `rest` says which rest it belongs to (wall_rest_cells).
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

final as (

    select
        'pattern|' || case
            when spine.block like 'occupation|%' then substr(split_part(spine.block, '|', 2), 1, 2)
            when spine.block like 'soc|%' then split_part(spine.block, '|', 2)
            when spine.block like 'task|%' and holders.n_soc_major_groups = 1 then holders.soc_major_code
            else 'several'
        end as rest,
        case
            when spine.block like 'task|%'
                then 'task|' || cast(spine.task_id as {{ dbt.type_string() }})
            else spine.block
        end as hidden_block,
        cells.child,
        cells.account,
        cast(sum(cells.n) as bigint) as n,
        bit_xor(cells.digest) as digest
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
    group by 1, 2, 3, 4

    union all

    select
        case when cells.family = 'composition' then split_part(cells.parent, '|', 1) else cells.family end as rest,
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
        'model' as rest,
        block as hidden_block,
        model as child,
        account,
        count(*) as n,
        bit_xor(record) as digest
    from unpublished_tasks
    group by 1, 2, 3, 4

    union all

    select
        'thinking' as rest,
        block as hidden_block,
        thinking as child,
        account,
        count(*) as n,
        bit_xor(record) as digest
    from unpublished_tasks
    group by 1, 2, 3, 4

)

select * from final
