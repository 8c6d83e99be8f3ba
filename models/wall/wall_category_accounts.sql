-- Grain: one row per SOC major group: the accounts behind its published tasks.
{#
    The declared exception for comparing conversations with accounts (the paper's Appendix B.2): an account counts once
    in every group that holds a published task it used. Released from 100 accounts up, rounded to base 25.
#}
with cells as (

    select * from {{ ref('wall_pattern_cells') }}

),

spine as (

    select * from {{ ref('wall_spine') }}

),

holders as (

    select distinct
        task_id,
        soc_major_code
    from {{ ref('task_occupations') }}

),

group_accounts as (

    select distinct
        holders.soc_major_code,
        cells.account
    from cells
    inner join spine
        on
            cells.parent = spine.task_id
            and cells.child is not distinct from spine.collaboration_pattern
    inner join holders
        on cells.parent = holders.task_id
    where spine.block like 'task|%'

),

final as (

    select
        soc_major_code,
        count(*) as n_accounts,
        {{ digest_of("cast(account as " ~ dbt.type_string() ~ ")") }} as record_digest
    from group_accounts
    group by soc_major_code

)

select * from final
