{% test vocabulary_only(model, column_name, to, field, extra=[], allow_null=false) %}
    {{ rows_outside_vocabulary(model, column_name, to, field, extra, allow_null) }}
{% endtest %}
