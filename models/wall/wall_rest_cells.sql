-- Grain: one row per rest, child and account: what is not counted in a cell of its own, by pattern, model or option.
{#
    Shares over everything (the pattern of all conversations, the model of all conversations) would be wrong if they were
    sums of published cells alone: small tasks hide more of their rare patterns. So what is left over is split once more,
    by the child alone, and closed in the same way: patterns within the SOC group of their block (and what stays hidden
    there once more over all groups, wall_last_rest_cells), models, thinking and composition over everything.
    `is_revealing`: see the macro revealing_rests.
#}
with cells as (

    select * from {{ ref('wall_hidden_cells') }}

),

shown as (

    select * from {{ ref('wall_shown_children') }}

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
