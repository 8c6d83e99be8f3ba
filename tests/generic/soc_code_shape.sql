{% test soc_code_shape(model, column_name) %}
    {{ codes_of_another_shape(model, column_name) }}
{% endtest %}
