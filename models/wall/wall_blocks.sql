-- Grain: one row per block of which a count may be released, over all families.
with places as materialized (

    -- Blocks have numbers: every account's count is grouped by them, and text would cost twice as much.
    select
        *,
        dense_rank() over (order by block) as block_number
    from (
        select
            family,
            parent,
            child,
            family || '|' || parent || '|' || block as block
        from {{ ref('wall_family_closure') }}
        where block is not null

        union all

        select
            'rest' as family,
            parent,
            child,
            'rest|' || parent || '|' || block as block
        from {{ ref('wall_rest_closure') }}
        where block is not null

        union all

        select
            'last_rest' as family,
            parent,
            child,
            'last_rest|' || parent || '|' || block as block
        from {{ ref('wall_last_rest_closure') }}
        where block is not null

        union all

        select
            'geography_category' as family,
            row_key as parent,
            column_key as child,
            'geography_category|' || row_key || '|' || case when is_own then column_key else '*' end as block
        from {{ ref('wall_geography_category_closure') }}

        union all

        select
            'geography_pattern' as family,
            row_key as parent,
            column_key as child,
            'geography_pattern|' || row_key || '|' || case when is_own then column_key else '*' end as block
        from {{ ref('wall_geography_pattern_closure') }}

        union all

        select
            'region' as family,
            country_code as parent,
            region_code as child,
            'region|' || country_code || '|' || block as block
        from {{ ref('wall_region_closure') }}
        where block is not null
    ) as closures

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
        block
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
        split_part(names.block, '|', 1) as family,
        names.block as block_id,
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
