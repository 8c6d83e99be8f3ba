-- Grain: one row per country (or `other`) and soc_group, one `not_attributed` row per country. Public door.
{%- set columns_sql %}
        select soc_major_code as column_key from {{ ref('soc_major_groups') }}

        union all

        select 'several' as column_key
{%- endset %}
with final as (

    {{ geography_door('category', 'soc_group', columns_sql) }}

)

select * from final
