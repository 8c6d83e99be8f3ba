{% test mass_conserved(model, group_by, numerator, denominator) %}
    {{ groups_losing_mass(model, group_by, numerator, denominator) }}
{% endtest %}
