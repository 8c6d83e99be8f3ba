{#
    A text with runs of white space made one space and the ends trimmed. Two task statements are the same task when
    their lower-cased normalised texts are equal.
#}
{% macro normalised_text(column) %}
    {{ return(adapter.dispatch('normalised_text', 'economic_index')(column)) }}
{% endmacro %}

{% macro default__normalised_text(column) %}trim(regexp_replace({{ column }}, '[[:space:]]+', ' ')){% endmacro %}

{# DuckDB and PostgreSQL replace the first match only unless told otherwise. #}
{% macro duckdb__normalised_text(column) %}trim(regexp_replace({{ column }}, '[[:space:]]+', ' ', 'g')){% endmacro %}
