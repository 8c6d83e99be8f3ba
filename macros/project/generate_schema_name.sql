{# Schemas carry their plain names (marts, facts, wall ...), not <target schema>_<name>: they are part of the contract. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
