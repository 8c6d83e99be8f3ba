{% test withheld_has_no_values(model, value_columns) %}
    {{ rows_withheld_with_values(model, value_columns) }}
{% endtest %}
