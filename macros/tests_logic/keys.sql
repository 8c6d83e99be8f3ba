{#
    Logic of the key tests. Every macro here returns a query of the rows that are wrong; the generic test of the same
    name in tests/generic is one line, and tests/macros proves on small fixtures that bad rows are found.
#}

{# Keys that occur more than once, or of which a part is null. `nullable` parts may be null: null is then one more value. #}
{% macro rows_of_broken_key(relation, columns, nullable=[]) %}
    select
        {{ columns | join(', ') }},
        count(*) as n_rows
    from {{ relation }}
    group by {{ columns | join(', ') }}
    having
        count(*) > 1
        {% for column in columns if column not in nullable -%}
        or {{ column }} is null
        {% endfor %}
{% endmacro %}

{# One row with the count where a relation does not have exactly one row. #}
{% macro rows_unless_exactly_one(relation, where='true') %}
    select count(*) as n_rows
    from {{ relation }}
    where {{ where }}
    having count(*) <> 1
{% endmacro %}
