{#
    Order-free digest of a set of records: the same conversations give the same 32 hex digits in any order.
    It feeds the keyed rounding draw (python_models/rounding); it is not secret and holds nothing of the records.
    The numbers of single records are combined by exclusive or (bit_xor), so the digest of a union of disjoint sets is
    that of its parts.
#}
{% macro record_number(column) %}{{ return(adapter.dispatch('record_number', 'economic_index')(column)) }}{% endmacro %}

{% macro duckdb__record_number(column) -%}
    md5_number({{ column }})
{%- endmacro %}

{% macro default__record_number(column) -%}
    {{ exceptions.raise_compiler_error("record_number has no implementation for the adapter " ~ target.type ~ "; add one beside duckdb__record_number in macros/privacy/digest.sql.") }}
{%- endmacro %}

{# A combined number as 32 hex digits. #}
{% macro digest_text(number) -%}
    lpad(to_hex({{ number }}), 32, '0')
{%- endmacro %}

{# Order-free digest of the rows of a relation, from one text expression per row; 'empty' where there is none. #}
{% macro digest_of(expression) -%}
    coalesce({{ digest_text("bit_xor(" ~ record_number(expression) ~ ")") }}, 'empty')
{%- endmacro %}

{#
    A 64-bit number for an account, so that the wall groups by integers. Two accounts share one about once in 10^7 runs
    of a million accounts; they would then count as one account, which only makes the rule stricter.
#}
{% macro account_number(column) %}{{ return(adapter.dispatch('account_number', 'economic_index')(column)) }}{% endmacro %}

{% macro duckdb__account_number(column) -%}
    md5_number_lower({{ column }})
{%- endmacro %}

{% macro default__account_number(column) -%}
    {{ exceptions.raise_compiler_error("account_number has no implementation for the adapter " ~ target.type ~ "; add one beside duckdb__account_number in macros/privacy/digest.sql.") }}
{%- endmacro %}

{#
    64 bits of a record's number, which every driver can carry: for telling records of one window apart between two
    publications. Two of 1,000,000 share them about once in 10^7 windows.
#}
{% macro record_key(number) %}{{ return(adapter.dispatch('record_key', 'economic_index')(number)) }}{% endmacro %}

{% macro duckdb__record_key(number) -%}
    cast({{ number }} % 18446744073709551616::uhugeint as ubigint)
{%- endmacro %}

{% macro default__record_key(number) -%}
    {{ exceptions.raise_compiler_error("record_key has no implementation for the adapter " ~ target.type ~ "; add one beside duckdb__record_key in macros/privacy/digest.sql.") }}
{%- endmacro %}
