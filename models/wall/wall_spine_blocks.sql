-- Grain: one row per safe block of the spine. The blocks are a partition of the classified conversations.
with cells as (

    select * from {{ ref('wall_pattern_cells') }}

),

spine as (

    select * from {{ ref('wall_spine') }}

),

placed as (

    select
        spine.block,
        cells.account,
        cells.n,
        cells.digest
    from cells
    inner join spine
        on
            cells.parent = spine.task_id
            and cells.child is not distinct from spine.collaboration_pattern

),

blocks as (

    {{ blocks_from_cells('placed', 'block') }}

),

final as (

    select
        block,
        split_part(block, '|', 1) as block_level,
        case when block like 'task|%' then cast(split_part(block, '|', 2) as bigint) end as task_id,
        case when block like 'task|%' then split_part(block, '|', 3) end as collaboration_pattern,
        case when block like 'occupation|%' then split_part(block, '|', 2) end as onet_soc_code,
        case when block like 'soc|%' then split_part(block, '|', 2) end as soc_major_code,
        n,
        n_accounts,
        n_largest,
        n_two_largest,
        record_digest
    from blocks

)

select * from final
