{% test multiple_of(model, column_name, base) %}
    {{ rows_not_a_multiple(model, column_name, base) }}
{% endtest %}
