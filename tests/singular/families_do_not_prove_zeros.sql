-- Where all conversations of a small parent stand in cells of their own, the children that are missing would be proven to
-- be zero: below the policy's limit something is always left in a residual.
{{ config(group='private_side', enabled=not is_imported()) }}
with cells as (

    select
        family,
        parent,
        child,
        sum(n) as n
    from {{ ref('wall_family_cells') }}
    group by 1, 2, 3

),

possible as (

    select
        'model' as family,
        count(distinct child) as n_possible
    from cells
    where family = 'model'

    union all

    -- Four answers, and none.
    select
        'composition' as family,
        5 as n_possible

    union all

    select
        'facet' as family,
        1000 as n_possible

    union all

    select
        'thinking' as family,
        2 as n_possible

    union all

    select
        'outcome' as family,
        2 as n_possible

),

parents as (

    select
        cells.family,
        cells.parent,
        sum(cells.n) as n,
        count(*) as n_children,
        sum(case when closure.block = closure.child then 0 else 1 end) as n_hidden
    from cells
    inner join {{ ref('wall_family_closure') }} as closure
        on
            cells.family = closure.family
            and cells.parent = closure.parent
            and cells.child is not distinct from closure.child
    group by 1, 2

)

select
    parents.family,
    parents.parent
from parents
inner join possible
    on parents.family = possible.family
cross join {{ ref('wall_policy') }} as policy
where
    parents.n_hidden = 0
    and parents.n_children < possible.n_possible
    and parents.n < policy.zero_closure_below
