{#
    Lower end of the published band of an account count: 5, 10, 25, 50, 100, 250 ... (docs/privacy.md). Exact account
    counts would give away how many people two groups share.
#}
{% macro account_band(n) -%}
    case
        {% for edge in [1000000, 500000, 250000, 100000, 50000, 25000, 10000, 5000, 2500, 1000, 500, 250, 100, 50, 25, 10] -%}
        when {{ n }} >= {{ edge }} then {{ edge }}
        {% endfor -%}
        else 5
    end
{%- endmacro %}
