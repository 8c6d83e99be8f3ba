{% test published_above_floors(model) %}
    {{ rows_published_below_floors(model) }}
{% endtest %}
