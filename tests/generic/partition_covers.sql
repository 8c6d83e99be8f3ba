{% test partition_covers(model, count_column, of, blocks_where='true', of_where='true', or_nothing=false) %}
    {{ difference_to_partition(model, count_column, of, blocks_where, of_where, or_nothing) }}
{% endtest %}
