-- Grain: one row per task and collaboration pattern that occurs; `block` is where its conversations are counted.
{#
    The spine global > SOC major group > occupation > task > pattern, bottom-up. A task without a safe partition of its own
    is withheld: its conversations go to the residual of the lowest unit that all its holders share. A residual that is
    not safe goes up as a whole and is tested again there. Is the global residual unsafe, it takes in the smallest unit
    that still stands alone, four times at most; then everything becomes one block, and if even that is unsafe the block is
    null and the window is withheld.
#}
{%- set n_passes = 4 %}
with cells as (

    select * from {{ ref('wall_pattern_cells') }}

),

closure as (

    select * from {{ ref('wall_pattern_closure') }}

),

policy as (

    select * from {{ ref('wall_policy') }}

),

holders as (

    select
        task_id,
        min(onet_soc_code) as onet_soc_code,
        min(soc_major_code) as soc_major_code,
        count(*) as n_occupations,
        count(distinct soc_major_code) as n_soc_major_groups
    from {{ ref('task_occupations') }}
    group by task_id

),

task_blocks as (

    select
        closure.task_id,
        closure.collaboration_pattern,
        case
            when closure.block is not null
                then 'task|' || cast(closure.task_id as {{ dbt.type_string() }}) || '|' || closure.block
        end as block,
        case when holders.n_occupations = 1 then 'occupation|' || holders.onet_soc_code end as occupation_block,
        case when holders.n_soc_major_groups = 1 then 'soc|' || holders.soc_major_code end as soc_block
    from closure
    inner join holders
        on closure.task_id = holders.task_id

),

published_tasks as (

    select distinct task_id from closure
    where block is not null

),

-- Every task that could be inside a residual, used or not. Two candidates would prove each other: a reader who knows the
-- rule knows that a residual of 15 cannot be one unsafe task alone. So a residual stands alone from three candidates up.
withheld_tasks as (

    select
        holders.task_id,
        case when holders.n_occupations = 1 then 'occupation|' || holders.onet_soc_code end as occupation_block,
        case when holders.n_soc_major_groups = 1 then 'soc|' || holders.soc_major_code end as soc_block
    from holders
    left join published_tasks
        on holders.task_id = published_tasks.task_id
    where published_tasks.task_id is null

),

occupation_candidates as (

    select
        occupation_block,
        count(*) as n_candidates
    from withheld_tasks
    group by occupation_block

),

withheld_accounts as materialized (

    select
        task_blocks.occupation_block,
        task_blocks.soc_block,
        cells.account,
        sum(cells.n) as n
    from cells
    inner join task_blocks
        on
            cells.parent = task_blocks.task_id
            and cells.child is not distinct from task_blocks.collaboration_pattern
    where task_blocks.block is null
    group by 1, 2, 3

),

occupation_accounts as (

    select
        occupation_block,
        account,
        sum(n) as n
    from withheld_accounts
    where occupation_block is not null
    group by 1, 2

),

occupation_statistics as (

    {{ block_statistics('occupation_accounts', ['occupation_block']) }}

),

safe_occupations as materialized (

    select
        residual.occupation_block,
        residual.n
    from occupation_statistics as residual
    inner join occupation_candidates as candidates
        on residual.occupation_block = candidates.occupation_block
    cross join policy
    where
        candidates.n_candidates >= 3
        and {{ is_safe_block('residual', 'policy') }}

),

soc_accounts as (

    select
        withheld.soc_block,
        withheld.account,
        sum(withheld.n) as n
    from withheld_accounts as withheld
    left join safe_occupations
        on withheld.occupation_block = safe_occupations.occupation_block
    where
        withheld.soc_block is not null
        and safe_occupations.occupation_block is null
    group by 1, 2

),

soc_statistics as (

    {{ block_statistics('soc_accounts', ['soc_block']) }}

),

soc_candidates as (

    select
        withheld_tasks.soc_block,
        count(*) as n_candidates
    from withheld_tasks
    left join safe_occupations
        on withheld_tasks.occupation_block = safe_occupations.occupation_block
    where safe_occupations.occupation_block is null
    group by withheld_tasks.soc_block

),

safe_socs as materialized (

    select
        residual.soc_block,
        residual.n
    from soc_statistics as residual
    inner join soc_candidates as candidates
        on residual.soc_block = candidates.soc_block
    cross join policy
    where
        candidates.n_candidates >= 3
        and {{ is_safe_block('residual', 'policy') }}

),

settled as materialized (

    select
        task_blocks.task_id,
        task_blocks.collaboration_pattern,
        coalesce(
            task_blocks.block,
            safe_occupations.occupation_block,
            safe_socs.soc_block,
            'global'
        ) as block,
        -- What the global residual takes in as a whole when it is unsafe: residuals before tasks, small before large.
        coalesce(
            case when task_blocks.block is not null then 'task|' || cast(task_blocks.task_id as {{ dbt.type_string() }}) end,
            safe_occupations.occupation_block,
            safe_socs.soc_block,
            'global'
        ) as unit,
        case
            when task_blocks.block is not null then 3
            when safe_occupations.occupation_block is not null then 2
            when safe_socs.soc_block is not null then 1
            else 0
        end as unit_rank
    from task_blocks
    left join safe_occupations
        on
            task_blocks.block is null
            and task_blocks.occupation_block = safe_occupations.occupation_block
    left join safe_socs
        on
            task_blocks.block is null
            and safe_occupations.occupation_block is null
            and task_blocks.soc_block = safe_socs.soc_block

),

unit_accounts as materialized (

    select
        settled.unit,
        settled.unit_rank,
        cells.account,
        sum(cells.n) as n
    from cells
    inner join settled
        on
            cells.parent = settled.task_id
            and cells.child is not distinct from settled.collaboration_pattern
    group by 1, 2, 3

),

taken_0 as materialized (

    select
        unit,
        unit_rank,
        sum(n) as n,
        unit = 'global' as is_global
    from unit_accounts
    group by 1, 2

),
{% for k in range(1, n_passes + 1) %}

global_{{ k }}_accounts as (

    select
        unit_accounts.account,
        sum(unit_accounts.n) as n
    from unit_accounts
    inner join taken_{{ k - 1 }} as taken
        on unit_accounts.unit = taken.unit
    where taken.is_global
    group by 1

),

global_{{ k }}_keyed as (

    select
        'global' as unit,
        account,
        n
    from global_{{ k }}_accounts

),

global_{{ k }} as (

    {{ block_statistics('global_' ~ k ~ '_keyed', ['unit']) }}

),

taken_{{ k }} as materialized (

    select
        taken.unit,
        taken.unit_rank,
        taken.n,
        taken.is_global
        or (
            exists (
                select 1 from global_{{ k }} as residual
                cross join policy
                where not {{ is_safe_block('residual', 'policy') }}
            )
            and row_number() over (
                order by case when taken.is_global then 1 else 0 end, taken.unit_rank, taken.n, taken.unit
            ) = 1
        ) as is_global
    from taken_{{ k - 1 }} as taken

),
{% endfor %}

last_keyed as (

    select
        'global' as unit,
        unit_accounts.account,
        sum(unit_accounts.n) as n
    from unit_accounts
    inner join taken_{{ n_passes }} as taken
        on unit_accounts.unit = taken.unit
    where taken.is_global
    group by 1, 2

),

last_global as (

    {{ block_statistics('last_keyed', ['unit']) }}

),

all_keyed as (

    select
        'all' as unit,
        account,
        sum(n) as n
    from unit_accounts
    group by 1, 2

),

all_statistics as (

    {{ block_statistics('all_keyed', ['unit']) }}

),

verdict as (

    select
        coalesce(max(case when everything.unit = 'all' and {{ is_safe_block('everything', 'policy') }} then 1 else 0 end), 0) = 1 as is_window_safe,
        coalesce(max(case when residual.unit is not null and not {{ is_safe_block('residual', 'policy') }} then 1 else 0 end), 0) = 0 as is_global_safe
    from all_statistics as everything
    cross join policy
    left join last_global as residual
        on true

),

final as (

    select
        settled.task_id,
        settled.collaboration_pattern,
        case
            when not verdict.is_window_safe then null
            when not verdict.is_global_safe or taken.is_global then 'global'
            else settled.block
        end as block
    from settled
    inner join taken_{{ n_passes }} as taken
        on settled.unit = taken.unit
    cross join verdict

)

select * from final
