{#
    CTEs that end in `revealing` (rest): rests of which a split would show that some hidden cell is not empty.

    `cells` has (rest, hidden_block, child, account, n), `shown` has (hidden_block, child): children that stand alone
    beside a hidden block and so cannot be inside it.

    The split of a rest is a second margin of the hidden cells, beside the totals of the hidden blocks. A cell (block,
    child) could be empty if all of its conversations could trade places with conversations of other children that are
    possible in its block, taken from blocks where this child is possible; then both margins stay as they are. Counted over
    the whole block: what may stand in for the child must be at least as much as the block. Children that are shown beside
    a block leave it fewer to trade with, which is why totals alone (Fréchet's bounds of a full table) are not enough.
#}
{% macro revealing_rests(cells, shown) %}
    hidden_counts as (

        select
            rest,
            hidden_block,
            child,
            sum(n) as n,
            sum(sum(n)) over (partition by rest, hidden_block) as n_block
        from {{ cells }}
        group by 1, 2, 3

    ),

    children as (

        select distinct
            rest,
            child
        from hidden_counts
        where child is not null

    ),

    -- How much of `mate` lies in blocks where `child` is possible.
    mates as (

        select
            hidden_counts.rest,
            children.child,
            hidden_counts.child as mate,
            sum(hidden_counts.n) as n
        from hidden_counts
        inner join children
            on hidden_counts.rest = children.rest
        left join {{ shown }} as shown_there
            on
                hidden_counts.hidden_block = shown_there.hidden_block
                and children.child = shown_there.child
        where
            shown_there.child is null
            and hidden_counts.child is distinct from children.child
        group by 1, 2, 3

    ),

    room as (

        select
            hidden_counts.rest,
            hidden_counts.hidden_block,
            hidden_counts.child,
            hidden_counts.n_block,
            coalesce(sum(case when shown_here.child is null then mates.n end), 0) as n_mates
        from hidden_counts
        left join mates
            on
                hidden_counts.rest = mates.rest
                and hidden_counts.child = mates.child
        left join {{ shown }} as shown_here
            on
                hidden_counts.hidden_block = shown_here.hidden_block
                and mates.mate = shown_here.child
        where hidden_counts.child is not null
        group by 1, 2, 3, 4

    ),

    revealing as (

        select distinct rest
        from room
        where n_mates < n_block

    ),
{% endmacro %}

{#
    Closes what is left over beside published cells: `cells` has (parent, child, account, n, is_revealing). A rest of
    which the split would show too much is not split at all. Returns (parent, child, block) with block = child, '*' or
    null, as close_children does.
#}
{% macro close_rest(cells, policy) %}
    with rest_cells as (

        select * from {{ cells }}

    ),

    closed as (

        {{ close_children('rest_cells', policy, n_domain=6) }}

    ),

    revealing as (

        select distinct parent
        from rest_cells
        where is_revealing

    ),

    final as (

        select
            closed.parent,
            closed.child,
            case when closed.block is not null and revealing.parent is not null then '*' else closed.block end as block
        from closed
        left join revealing
            on closed.parent = revealing.parent

    )

    select * from final
{% endmacro %}
