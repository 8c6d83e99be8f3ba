{#
    A number that is not negative, in two significant digits, as text: 12345 is '12000', 0.01234 is '0.012', 0 is '0'. Six
    decimals are kept, so anything below a millionth is '0'; null stays null.
#}
{% macro two_digits(x) -%}
    {%- set number = 'cast(' ~ x ~ ' as double)' -%}
    rtrim(
        rtrim(
            cast(
                cast(
                    coalesce(
                        round({{ number }}, cast(1 - floor(log10(nullif({{ number }}, 0))) as integer)),
                        {{ number }}
                    ) as {{ dbt.type_numeric() }}
                ) as {{ dbt.type_string() }}
            ),
            '0'
        ),
        '.'
    )
{%- endmacro %}
