{#
    The switch between our own wall and a published release.

    ECONOMIC_INDEX_IMPORTED_RELEASE names a folder that `economic-index import-release` wrote. When it is set, the public
    door reads that folder's blocks instead of the wall's: everything from the door on is the same SQL, and
    `dbt build -s +path:models/marts` needs no conversations.
#}
{% macro imported_folder() %}{{ return(env_var('ECONOMIC_INDEX_IMPORTED_RELEASE', '') | trim) }}{% endmacro %}

{% macro is_imported() %}{{ return(imported_folder() != '') }}{% endmacro %}

{# The wall's table `wall_<name>`, or its stand-in `imported_<name>`: name is blocks, draws, run or spine_blocks. #}
{% macro door(name) %}{{ return(ref('imported_' ~ name) if is_imported() else ref('wall_' ~ name)) }}{% endmacro %}

{# A table of the imported folder. #}
{% macro imported_table(name) %}{{ return(adapter.dispatch('imported_table', 'economic_index')(name)) }}{% endmacro %}

{% macro duckdb__imported_table(name) -%}
    read_parquet('{{ imported_folder() | replace("'", "''") }}/door/{{ name }}.parquet')
{%- endmacro %}

{% macro default__imported_table(name) -%}
    {{ exceptions.raise_compiler_error("imported_table has no implementation for the adapter " ~ target.type ~ "; add one beside duckdb__imported_table in macros/imported/door.sql.") }}
{%- endmacro %}
