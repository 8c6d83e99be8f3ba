{#
    Order-free digest of a set of records: the same conversations give the same 32 hex digits in any order.
    It feeds the keyed rounding draw (python_models/rounding); it is not secret and holds nothing of the records.
    The halves of single records are combined by exclusive or, so the digest of a union of disjoint sets is that of its parts.
#}
{% macro record_half(column, half) %}{{ return(adapter.dispatch('record_half', 'economic_index')(column, half)) }}{% endmacro %}

{% macro duckdb__record_half(column, half) -%}
    {{ 'md5_number_upper' if half == 'high' else 'md5_number_lower' }}({{ column }})
{%- endmacro %}

{% macro default__record_half(column, half) -%}
    {{ exceptions.raise_compiler_error("record_half has no implementation for the adapter " ~ target.type ~ "; add one beside duckdb__record_half in macros/privacy/digest.sql.") }}
{%- endmacro %}

{# Both halves as 32 hex digits, from columns digest_high and digest_low (aggregate them with bit_xor first). #}
{% macro digest_text(high, low) -%}
    lpad(to_hex({{ high }}), 16, '0') || lpad(to_hex({{ low }}), 16, '0')
{%- endmacro %}

{# Order-free digest of the rows of a relation, from one text expression per row; 'empty' where there is none. #}
{% macro digest_of(expression) -%}
    coalesce(
        {{ digest_text(
            "bit_xor(" ~ record_half(expression, 'high') ~ ")",
            "bit_xor(" ~ record_half(expression, 'low') ~ ")"
        ) }}, 'empty'
    )
{%- endmacro %}
