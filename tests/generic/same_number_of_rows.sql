{% test same_number_of_rows(model, compared_with) %}
    {{ counts_that_differ(model, compared_with) }}
{% endtest %}
