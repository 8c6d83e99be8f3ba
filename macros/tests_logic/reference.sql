{# Logic of the tests on reference data; see keys.sql for the convention. #}

{# One row with both counts where two relations differ in their number of rows: nothing was lost or doubled. #}
{% macro counts_that_differ(relation, compared_with) %}
    select
        here.n_rows as n_rows_here,
        there.n_rows as n_rows_there
    from (select count(*) as n_rows from {{ relation }}) as here
    cross join (select count(*) as n_rows from {{ compared_with }}) as there
    where here.n_rows <> there.n_rows
{% endmacro %}

{# Codes that are not of the form 15-1252.00. A spreadsheet turns such codes into numbers or dates. #}
{% macro codes_of_another_shape(relation, column_name) %}
    select {{ column_name }}
    from {{ relation }}
    where
        {{ column_name }} not like '__-____.__'
        or length(replace({{ column_name }}, ' ', '')) <> 10
        or translate({{ column_name }}, '0123456789', '') <> '-.'
{% endmacro %}
