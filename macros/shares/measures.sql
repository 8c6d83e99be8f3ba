{#
    The measures every mart of counts has, from columns of `m` (an alias with n_conversations, n_support_conversations,
    n_accounts_at_least): null unless published, so that no value stands beside a withheld status.
#}
{% macro is_published(support) -%}
    coalesce({{ support }} >= {{ floor_conversations() }}, false)
{%- endmacro %}

{% macro status_of(support) -%}
    case when {{ is_published(support) }} then 'published' else 'withheld' end
{%- endmacro %}

{# share, lower and upper bound of the Wilson interval as three columns: <name>, <name>_lower, <name>_upper #}
{% macro share_columns(name, part, base) -%}
    {{ share(part, base) }} as {{ name }},
    {{ wilson(part, base, 'lower') }} as {{ name }}_lower,
    {{ wilson(part, base, 'upper') }} as {{ name }}_upper
{%- endmacro %}

{# What is known of a unit in all: its published tasks and its residual; null where it has neither. #}
{% macro with_residual(m) -%}
    case
        when coalesce({{ m }}.n_conversations, {{ m }}.n_conversations_residual) is not null
            then coalesce({{ m }}.n_conversations, 0) + coalesce({{ m }}.n_conversations_residual, 0)
    end
{%- endmacro %}
