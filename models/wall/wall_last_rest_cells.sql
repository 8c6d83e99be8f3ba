-- Grain: one row per family, child and account: patterns that no task and no SOC group shows.
with closure as (

    select * from {{ ref('wall_rest_closure') }}
    where parent like 'pattern|%'

),

cells as (

    select
        'pattern' as rest,
        hidden.rest as group_rest,
        hidden.hidden_block,
        hidden.child,
        hidden.account,
        hidden.n,
        hidden.digest
    from {{ ref('wall_hidden_cells') }} as hidden
    inner join closure
        on
            hidden.rest = closure.parent
            and hidden.child is not distinct from closure.child
    where
        closure.block is null
        or closure.block = '*'

),

shown as (

    select
        hidden_block,
        child
    from {{ ref('wall_shown_children') }}

    union

    -- What the group's rest shows cannot be in what it hides.
    select distinct
        cells.hidden_block,
        closure.child
    from cells
    inner join closure
        on
            cells.group_rest = closure.parent
            and closure.block = closure.child

),

{{ revealing_rests('cells', 'shown') }}

final as (

    select
        cells.rest as parent,
        cells.child,
        cells.account,
        revealing.rest is not null as is_revealing,
        cast(sum(cells.n) as bigint) as n,
        bit_xor(cells.digest) as digest
    from cells
    left join revealing
        on cells.rest = revealing.rest
    group by 1, 2, 3, 4

)

select * from final
