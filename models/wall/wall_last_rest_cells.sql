-- Grain: one row per family, child and account: patterns that no task and no SOC group shows.
with cells as (

    select * from {{ ref('wall_rest_cells') }}
    where parent like 'pattern|%'

),

closure as (

    select * from {{ ref('wall_rest_closure') }}

),

hidden as (

    select
        cells.parent as hidden_block,
        cells.child,
        cells.account,
        cells.n,
        cells.digest
    from cells
    inner join closure
        on
            cells.parent = closure.parent
            and cells.child is not distinct from closure.child
    where
        closure.block is null
        or closure.block = '*'

),

hidden_sizes as (

    select max(n) as n_largest_block
    from (
        select
            hidden_block,
            sum(n) as n
        from hidden
        group by hidden_block
    ) as sizes

),

final as (

    select
        'pattern' as parent,
        hidden.child,
        hidden.account,
        hidden_sizes.n_largest_block,
        sum(hidden.n) as n,
        bit_xor(hidden.digest) as digest
    from hidden
    cross join hidden_sizes
    group by 1, 2, 3, 4

)

select * from final
