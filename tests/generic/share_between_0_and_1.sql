{% test share_between_0_and_1(model, column_name) %}
    {{ rows_not_a_share(model, column_name) }}
{% endtest %}
