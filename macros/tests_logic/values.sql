{# Logic of the tests of single columns. Every comparison is written so that NaN fails: in DuckDB NaN is above all numbers. #}

{# Rows whose text is not a value of the vocabulary. Null fails unless allowed; blanks and letter case count. #}
{% macro rows_outside_vocabulary(relation, column, vocabulary, field, extra=[], allow_null=false) %}
    with vocabulary as (

        select distinct {{ field }} as entry
        from {{ vocabulary }}
        where {{ field }} is not null
        {% for value in extra %}

        union

        select '{{ value }}' as entry
        {% endfor %}

    )

    select checked.*
    from (select * from {{ relation }}) as checked
    left join vocabulary
        on checked.{{ column }} = vocabulary.entry
    where
        vocabulary.entry is null
        {% if allow_null -%}
        and checked.{{ column }} is not null
        {%- endif %}
{% endmacro %}

{# Rows whose value is null, NaN, or below the least value allowed. #}
{% macro rows_below(relation, column, least) %}
    select *
    from {{ relation }}
    where not coalesce({{ column }} >= {{ least }} and {{ is_finite(column) }}, false)
{% endmacro %}

{# Rows whose share is below 0, above 1, or NaN; null says that there is no share. #}
{% macro rows_not_a_share(relation, column) %}
    select *
    from {{ relation }}
    where
        {{ column }} is not null
        and not ({{ column }} >= 0 and {{ column }} <= 1 and {{ is_finite(column) }})
{% endmacro %}

{#
    Groups whose shares do not sum to 1 within 1e-9. A group without any share is left out, a NaN is not; `where`
    keeps rows that are no part of the whole (roll-ups, `unattributed`) away.
#}
{% macro groups_not_summing_to_one(relation, column, group_by=[], where='true') %}
    select
        {% for key in group_by %}{{ key }},
        {% endfor -%}
        sum({{ column }}) as sum_of_shares
    from {{ relation }}
    where
        ({{ where }})
        and {{ column }} is not null
    {% if group_by %}group by {{ group_by | join(', ') }}{% endif %}
    having
        count(*) > 0
        and not (sum({{ column }}) >= 1 - 1e-9 and sum({{ column }}) <= 1 + 1e-9)
{% endmacro %}

{# Rows whose count is not a multiple of the rounding base, is NaN, or is a fraction; null says that nothing is published. #}
{% macro rows_not_a_multiple(relation, column, base) %}
    select *
    from {{ relation }}
    where
        {{ column }} is not null
        and not coalesce({{ is_finite(column) }} and {{ column }} % {{ base }} = 0, false)
{% endmacro %}

{# Rows whose account count is not the lower end of a published band. #}
{% macro rows_off_the_account_bands(relation, column) %}
    select *
    from {{ relation }}
    where
        {{ column }} is not null
        and {{ column }} not in (
            5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000
        )
{% endmacro %}

{# Is a number neither NaN nor infinite? Engines without NaN need no more than the comparison. #}
{% macro is_finite(column) %}{{ return(adapter.dispatch('is_finite', 'economic_index')(column)) }}{% endmacro %}
{% macro duckdb__is_finite(column) %}isfinite(cast({{ column }} as double)){% endmacro %}
{% macro default__is_finite(column) %}({{ column }} > -1e300 and {{ column }} < 1e300){% endmacro %}
