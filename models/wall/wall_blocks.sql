-- Grain: one row per block of which a count may be released, over all families.
with closures as (

    select
        family,
        parent,
        child,
        block
    from {{ ref('wall_family_closure') }}

    union all

    select
        'rest' as family,
        parent,
        child,
        block
    from {{ ref('wall_rest_closure') }}

    union all

    select
        'last_rest' as family,
        parent,
        child,
        block
    from {{ ref('wall_last_rest_closure') }}

    union all

    select
        'geography_category' as family,
        row_key as parent,
        column_key as child,
        case when is_own then column_key else '*' end as block
    from {{ ref('wall_geography_category_closure') }}

    union all

    select
        'geography_pattern' as family,
        row_key as parent,
        column_key as child,
        case when is_own then column_key else '*' end as block
    from {{ ref('wall_geography_pattern_closure') }}

    union all

    select
        'region' as family,
        country_code as parent,
        region_code as child,
        block
    from {{ ref('wall_region_closure') }}

),

-- Blocks have numbers: every account's count is grouped by them, and text would cost twice as much.
places as materialized (

    select
        family,
        parent,
        child,
        family || '|' || parent || '|' || block as block_id,
        dense_rank() over (order by family, parent, block) as block_number
    from closures
    where block is not null

),

cells as (

    select
        family,
        parent,
        child,
        account,
        n,
        digest
    from {{ ref('wall_family_cells') }}

    union all

    select
        'rest' as family,
        parent,
        child,
        account,
        n,
        digest
    from {{ ref('wall_rest_cells') }}

    union all

    select
        'last_rest' as family,
        parent,
        child,
        account,
        n,
        digest
    from {{ ref('wall_last_rest_cells') }}

    union all

    select
        'geography_' || table_name as family,
        row_key as parent,
        column_key as child,
        account,
        n,
        digest
    from {{ ref('wall_geography_cells') }}

    union all

    select
        'region' as family,
        parent,
        coalesce(child, 'other') as child,
        account,
        n,
        digest
    from {{ ref('wall_region_cells') }}

),

placed as (

    select
        places.block_number,
        cells.account,
        cells.n,
        cells.digest
    from cells
    inner join places
        on
            cells.family = places.family
            and cells.parent = places.parent
            and cells.child is not distinct from places.child

),

closed_blocks as (

    {{ blocks_from_cells('placed', 'block_number') }}

),

names as (

    select distinct
        block_number,
        block_id
    from places

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
        split_part(names.block_id, '|', 1) as family,
        names.block_id,
        closed_blocks.n,
        closed_blocks.n_accounts,
        closed_blocks.n_largest,
        closed_blocks.n_two_largest,
        closed_blocks.record_digest
    from closed_blocks
    inner join names
        on closed_blocks.block = names.block_number

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
