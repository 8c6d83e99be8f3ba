{% test safe_block(model, policy) %}
    {{ rows_not_a_safe_block(model, policy) }}
{% endtest %}
