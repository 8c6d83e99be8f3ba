{% test unique_combination(model, columns, nullable=[]) %}
    {{ rows_of_broken_key(model, columns, nullable) }}
{% endtest %}
