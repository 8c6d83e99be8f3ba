{% test shares_sum_to_one(model, column_name, group_by=[], among='true') %}
    {{ groups_not_summing_to_one(model, column_name, group_by, among) }}
{% endtest %}
