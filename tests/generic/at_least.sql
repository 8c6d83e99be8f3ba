{% test at_least(model, column_name, value) %}
    {{ rows_below(model, column_name, value) }}
{% endtest %}
