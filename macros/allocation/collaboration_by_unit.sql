{#
    Allocates published (task, pattern) cells to occupations or SOC major groups, exactly as task counts are allocated.
    Returns (<unit>, collaboration_pattern, n_conversations as a numerator over task_allocation's denominator, n_support_conversations, n_accounts_at_least); units
    without any published task do not occur. A pattern of a unit is counted over the cells that are published; the rest of
    the unit's published tasks is 'not_attributed'.
#}
{% macro allocate_collaboration(unit) %}
    with weights as (

        select
            {{ unit }},
            task_id,
            sum(weight_numerator) as weight_numerator
        from {{ ref('task_allocation') }}
        group by 1, 2

    )

    select
        weights.{{ unit }},
        cells.collaboration_pattern,
        sum(cast(cells.n_conversations as {{ type_exact_integer() }}) * weights.weight_numerator) as n_conversations,
        cast(sum(cells.n_support_conversations) as bigint) as n_support_conversations,
        max(cells.n_accounts_at_least) as n_accounts_at_least
    from {{ ref('wall_public_task_patterns') }} as cells
    inner join weights
        on cells.task_id = weights.task_id
    group by 1, 2
{% endmacro %}
