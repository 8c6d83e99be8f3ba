{# An imported release comes with the counts as published: nothing is rounded a second time, so there is no base. #}
{% test multiple_of(model, column_name, base) %}
    {{ rows_not_a_multiple(model, column_name, 1 if is_imported() else base) }}
{% endtest %}
