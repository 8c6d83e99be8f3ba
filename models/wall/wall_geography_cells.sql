-- Grain: one row per table, geographic unit, column (SOC group of the block, or pattern) and account.
with
{{ geography_placed() }}

category_cells as (

    {{ cell_accounts('geography_placed', 'unit', 'soc_group') }}

),

pattern_cells as (

    {{ cell_accounts('geography_placed', 'unit', 'collaboration_pattern', 'collaboration_pattern is not null') }}

),

final as (

    select
        'category' as table_name,
        parent as row_key,
        child as column_key,
        account,
        n,
        digest
    from category_cells

    union all

    select
        'pattern' as table_name,
        parent as row_key,
        child as column_key,
        account,
        n,
        digest
    from pattern_cells

)

select * from final
