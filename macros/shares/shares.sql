{# A share in 0..1 as double; null where the base is null or zero (DuckDB would give NaN for 0/0). #}
{% macro share(part, base) -%}
    cast({{ part }} as double) / nullif(cast({{ base }} as double), 0)
{%- endmacro %}

{#
    Wilson 95 % interval of a share, from published counts alone: part and base may be fractional.
    It tells sampling uncertainty under independent conversations; see docs/methods.md for its limits.
#}
{% macro wilson(part, base, bound) -%}
    {%- set p = share(part, base) -%}
    {%- set n = 'cast(' ~ base ~ ' as double)' -%}
    {# greatest() and least() skip nulls on DuckDB: without the case a withheld row would get the bounds 0 and 1. #}
    case
        when {{ part }} is not null and {{ n }} > 0
            then {{ 'greatest(0.0' if bound == 'lower' else 'least(1.0' }}, (
                {{ p }} + 1.920729410347062 / {{ n }}
                {{ '-' if bound == 'lower' else '+' }} 1.959963984540054 * sqrt(greatest(0.0, {{ p }} * (1.0 - {{ p }}) / {{ n }} + 0.960364705173531 / ({{ n }} * {{ n }})))
            ) / (1.0 + 3.841458820694124 / {{ n }}))
    end
{%- endmacro %}
