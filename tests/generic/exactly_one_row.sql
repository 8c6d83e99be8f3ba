{% test exactly_one_row(model) %}
    {{ rows_unless_exactly_one(model) }}
{% endtest %}
