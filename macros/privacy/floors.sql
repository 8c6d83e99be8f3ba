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
