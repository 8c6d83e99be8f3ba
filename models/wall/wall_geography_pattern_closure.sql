-- Grain: one row per geographic unit and pattern that occurs together; is_own says that the cell stands alone.
with cells as (

    select
        row_key,
        column_key,
        account,
        n
    from {{ ref('wall_geography_cells') }}
    where table_name = 'pattern'

),

final as (

    {{ close_table(
        'cells', ref('wall_policy'),
        n_rows="(select count(distinct row_key) from cells)",
        n_columns=7
    ) }}

)

select * from final
