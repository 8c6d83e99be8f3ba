{#
    Closes what is left over beside published cells: `cells` has (parent, child, account, n, n_largest_block).

    Beside the hidden blocks' own totals, the split of a rest is a second margin of the same hidden cells. A cell could be
    proven to be non-empty if one hidden block were larger than everything in the rest that is of another child (Fréchet's
    lower bound, max(0, block + child - rest) > 0). Where that could happen, the rest is not split at all.
    Returns (parent, child, block) with block = child, '*' or null, as close_children does.
#}
{% macro close_rest(cells, policy) %}
    with rest_cells as (

        select * from {{ cells }}

    ),

    closed as (

        {{ close_children('rest_cells', policy, n_domain=0) }}

    ),

    sizes as (

        select
            parent,
            child,
            sum(n) as n,
            max(n_largest_block) as n_largest_block
        from rest_cells
        group by 1, 2

    ),

    rests as (

        select
            parent,
            sum(n) as n
        from sizes
        group by parent

    ),

    dominated as (

        select distinct sizes.parent
        from sizes
        inner join rests
            on sizes.parent = rests.parent
        where rests.n - sizes.n < sizes.n_largest_block

    ),

    final as (

        select
            closed.parent,
            closed.child,
            case when closed.block is not null and dominated.parent is not null then '*' else closed.block end as block
        from closed
        left join dominated
            on closed.parent = dominated.parent

    )

    select * from final
{% endmacro %}
