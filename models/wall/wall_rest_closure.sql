-- Grain: one row per family and child of the rest; `block` is the child, '*' or null.
{#
    Beside the hidden blocks' own totals the split of the rest is a second margin of the same hidden cells. A cell could
    be proven to be non-empty if one hidden block were larger than everything in the rest that is of another child
    (Fréchet's lower bound, max(0, block + child - rest) > 0). Where that could happen the rest is not split at all.
#}
with cells as (

    select
        parent,
        child,
        account,
        n
    from {{ ref('wall_rest_cells') }}

),

closed as (

    {{ close_children('cells', ref('wall_policy'), n_domain=0) }}

),

sizes as (

    select
        parent,
        child,
        sum(n) as n,
        max(n_largest_block) as n_largest_block
    from {{ ref('wall_rest_cells') }}
    group by 1, 2

),

dominated as (

    select distinct sizes.parent
    from sizes
    inner join (
        select parent, sum(n) as n from sizes group by parent
    ) as rests
        on sizes.parent = rests.parent
    where rests.n - sizes.n < sizes.n_largest_block

),

final as (

    select
        closed.parent as family,
        closed.child,
        case when closed.block is not null and dominated.parent is not null then '*' else closed.block end as block
    from closed
    left join dominated
        on closed.parent = dominated.parent

)

select * from final
