-- Grain: one row per country (or `other`) and collaboration_pattern, one `not_attributed` row per country. Public door.
{%- set columns_sql %}
        select pattern as column_key from {{ ref('collaboration_patterns') }}
{%- endset %}
with final as (

    {{ geography_door('pattern', 'collaboration_pattern', columns_sql) }}

)

select * from final
