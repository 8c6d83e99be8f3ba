-- Grain: one row per block of which a count may be released, over all families.
with family_placed as (

    select
        cells.family || '|' || cells.parent || '|' || closure.block as block,
        cells.account,
        cells.n,
        cells.digest
    from {{ ref('wall_family_cells') }} as cells
    inner join {{ ref('wall_family_closure') }} as closure
        on
            cells.family = closure.family
            and cells.parent = closure.parent
            and cells.child is not distinct from closure.child
    where closure.block is not null

),

family_blocks as (

    {{ blocks_from_cells('family_placed', 'block') }}

),

rest_placed as (

    select
        'rest|' || cells.parent || '|' || closure.block as block,
        cells.account,
        cells.n,
        cells.digest
    from {{ ref('wall_rest_cells') }} as cells
    inner join {{ ref('wall_rest_closure') }} as closure
        on
            cells.parent = closure.parent
            and cells.child is not distinct from closure.child
    where closure.block is not null

    union all

    select
        'last_rest|' || cells.parent || '|' || closure.block as block,
        cells.account,
        cells.n,
        cells.digest
    from {{ ref('wall_last_rest_cells') }} as cells
    inner join {{ ref('wall_last_rest_closure') }} as closure
        on
            cells.parent = closure.parent
            and cells.child is not distinct from closure.child
    where closure.block is not null

),

rest_blocks as (

    {{ blocks_from_cells('rest_placed', 'block') }}

),

geography_placed as (

    select
        'geography_' || cells.table_name || '|' || cells.row_key || '|'
        || case when closure.is_own then cells.column_key else '*' end as block,
        cells.account,
        cells.n,
        cells.digest
    from {{ ref('wall_geography_cells') }} as cells
    inner join (
        select
            'category' as table_name,
            row_key,
            column_key,
            is_own
        from {{ ref('wall_geography_category_closure') }}
        union all
        select
            'pattern' as table_name,
            row_key,
            column_key,
            is_own
        from {{ ref('wall_geography_pattern_closure') }}
    ) as closure
        on
            cells.table_name = closure.table_name
            and cells.row_key = closure.row_key
            and cells.column_key = closure.column_key

),

geography_blocks as (

    {{ blocks_from_cells('geography_placed', 'block') }}

),

region_placed as (

    select
        'region|' || cells.parent || '|' || closure.block as block,
        cells.account,
        cells.n,
        cells.digest
    from {{ ref('wall_region_cells') }} as cells
    inner join {{ ref('wall_region_closure') }} as closure
        on
            cells.parent = closure.country_code
            and coalesce(cells.child, 'other') = closure.region_code
    where closure.block is not null

),

region_blocks as (

    {{ blocks_from_cells('region_placed', 'block') }}

),

policy as (

    select * from {{ ref('wall_policy') }}

),

unioned as (

    select
        'spine' as family,
        'spine|' || block as block_id,
        n,
        n_accounts,
        n_largest,
        n_two_largest,
        record_digest
    from {{ ref('wall_spine_blocks') }}

    union all

    select
        split_part(block, '|', 1) as family,
        block as block_id,
        n,
        n_accounts,
        n_largest,
        n_two_largest,
        record_digest
    from family_blocks

    union all

    select
        split_part(block, '|', 1) as family,
        block as block_id,
        n,
        n_accounts,
        n_largest,
        n_two_largest,
        record_digest
    from rest_blocks

    union all

    select
        split_part(block, '|', 1) as family,
        block as block_id,
        n,
        n_accounts,
        n_largest,
        n_two_largest,
        record_digest
    from geography_blocks

    union all

    select
        split_part(block, '|', 1) as family,
        block as block_id,
        n,
        n_accounts,
        n_largest,
        n_two_largest,
        record_digest
    from region_blocks

    union all

    select
        'multi_label' as family,
        'multi_label|' || facet || '|' || option_id as block_id,
        n,
        n_accounts,
        n_largest,
        n_two_largest,
        record_digest
    from {{ ref('wall_multi_label') }}
    where is_safe

),

final as (

    select
        unioned.family,
        unioned.block_id,
        unioned.n,
        unioned.n_accounts,
        unioned.n_largest,
        unioned.n_two_largest,
        unioned.record_digest,
        policy.rounding_base
    from unioned
    cross join policy

)

select * from final
