{% test account_band(model, column_name) %}
    {{ rows_off_the_account_bands(model, column_name) }}
{% endtest %}
