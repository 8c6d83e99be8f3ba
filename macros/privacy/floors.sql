{#
    The floors that nothing lowers: no variable, no policy row. They stand here once for the SQL of the wall, and once
    more, literally, in the contract of every mart, so that the two can be tested against each other.
#}
{% macro floor_conversations() %}15{% endmacro %}

{% macro floor_accounts() %}5{% endmacro %}

{#
    Refuses a run whose variables try to touch the floors. Known names that look like a threshold are refused even
    though no model reads them: somebody who passes one believes that it works.
#}
{% macro assert_privacy_floors() %}
    {% if execute %}
        {% if env_var('ECONOMIC_INDEX_TAXONOMY', 'seeds/sample').startswith('/') %}
            {# dbt writes its compiled copy of a seed to target/<path of the seed>: an absolute path is the seed itself. #}
            {{ exceptions.raise_compiler_error(
                "ECONOMIC_INDEX_TAXONOMY is an absolute path, over which dbt would write; give it relative to the project, for example seeds/installed/29.1."
            ) }}
        {% endif %}
        {% for name in ['min_conversations', 'min_accounts', 'min_n', 'floor_conversations', 'floor_accounts', 'rounding_base'] %}
            {% if var(name, none) is not none %}
                {{ exceptions.raise_compiler_error(
                    "The variable '" ~ name ~ "' cannot be set: privacy thresholds come from seeds/reference/privacy_policies.csv "
                    ~ "and never fall below 15 conversations and 5 accounts; choose a policy with the variable privacy_policy."
                ) }}
            {% endif %}
        {% endfor %}
    {% endif %}
{% endmacro %}
