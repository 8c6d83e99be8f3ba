{#
    Exact fractional allocation (the paper's Appendix B.1): a task held by h occupations gives each 1/h.

    Counts are kept as whole numerators over one common denominator L, the least common multiple of all holder counts,
    so that no sum is ever a sum of floats and mass is conserved to the last digit. L is 22,029,527,520 on O*NET 29.1:
    numerators are HUGEINT. Divide once, at the end, with from_numerator().
#}
{% macro allocation_denominator(relation, column) %}{{ return(adapter.dispatch('allocation_denominator', 'economic_index')(relation, column)) }}{% endmacro %}

{% macro duckdb__allocation_denominator(relation, column) %}
    select list_reduce(list(h order by h), (a, b) -> lcm(a, b)) as denominator
    from (select distinct cast({{ column }} as hugeint) as h from {{ relation }}) as holders
{% endmacro %}

{% macro default__allocation_denominator(relation, column) %}
    with recursive holders as (
        select h, row_number() over (order by h) as k
        from (select distinct {{ column }} as h from {{ relation }}) as distinct_holders
    ),

    folded as (
        select k, cast(h as {{ dbt.type_numeric() }}) as denominator from holders where k = 1
        union all
        select holders.k, folded.denominator * holders.h / gcd(folded.denominator, holders.h)
        from folded
        inner join holders on holders.k = folded.k + 1
    )

    select max(denominator) as denominator from folded
{% endmacro %}

{# Numerator of a task's whole count given to one of its holders: exact because L is divisible by every h. #}
{% macro to_numerator(n, denominator, holders) -%}
    cast({{ n }} as {{ type_exact_integer() }}) * ({{ denominator }} // {{ holders }})
{%- endmacro %}

{% macro from_numerator(numerator, denominator) -%}
    cast({{ numerator }} as double) / cast({{ denominator }} as double)
{%- endmacro %}

{% macro type_exact_integer() %}{{ return(adapter.dispatch('type_exact_integer', 'economic_index')()) }}{% endmacro %}
{% macro duckdb__type_exact_integer() %}hugeint{% endmacro %}
{% macro default__type_exact_integer() %}numeric(38, 0){% endmacro %}
