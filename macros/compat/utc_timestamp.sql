{#
    A date or time of vars, as ISO 8601 text, as a timestamp literal in UTC. A text without zone is UTC. The zone is
    resolved here because databases differ: DuckDB drops the offset when it casts a text to timestamp.
#}
{% macro utc_timestamp(value) -%}
    {%- if execute -%}
        {%- set text = value | string | replace(' UTC', '+00:00') -%}
        {%- set moment = modules.datetime.datetime.fromisoformat(text) -%}
        {%- if moment.tzinfo -%}
            {%- set moment = (moment - moment.utcoffset()).replace(tzinfo=none) -%}
        {%- endif -%}
        cast('{{ moment.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp)
    {%- else -%}
        cast(null as timestamp)
    {%- endif -%}
{%- endmacro %}
