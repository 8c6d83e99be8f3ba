-- Grain: one row per table, geographic unit, column (SOC group of the block, or pattern) and account.
with margins as (

    select * from {{ ref('wall_geography_margins') }}

),

holders as (

    select
        task_id,
        min(soc_major_code) as soc_major_code,
        count(distinct soc_major_code) as n_soc_major_groups
    from {{ ref('task_occupations') }}
    group by task_id

),

pattern_totals as (

    select
        'all' as parent,
        child,
        account,
        sum(n) as n
    from {{ ref('wall_pattern_cells') }}
    group by 1, 2, 3

),

-- Margins first: a pattern that is not safe over everything has no column of its own.
pattern_margins as (

    {{ close_children('pattern_totals', ref('wall_policy'), n_domain=0) }}

),

placed as (

    select
        margins.unit,
        wall.account,
        wall.record,
        case when pattern_margins.block = '*' then 'not_attributed' else pattern_margins.block end as collaboration_pattern,
        case
            when spine.block like 'occupation|%' then substr(split_part(spine.block, '|', 2), 1, 2)
            when spine.block like 'soc|%' then split_part(spine.block, '|', 2)
            when spine.block like 'task|%' and holders.n_soc_major_groups = 1 then holders.soc_major_code
            else 'several'
        end as soc_group
    from {{ ref('wall_conversations') }} as wall
    inner join {{ ref('wall_spine') }} as spine
        on
            wall.task_id = spine.task_id
            and wall.collaboration_pattern is not distinct from spine.collaboration_pattern
    inner join holders
        on wall.task_id = holders.task_id
    left join {{ ref('countries') }} as countries
        on wall.country_code = countries.country_code
    inner join pattern_margins
        on wall.collaboration_pattern is not distinct from pattern_margins.child
    inner join margins
        on coalesce(countries.country_code, 'other') = margins.country_code
    where
        wall.outcome = 'classified'
        and spine.block is not null
        and margins.unit is not null

),

category_cells as (

    {{ cell_accounts('placed', 'unit', 'soc_group') }}

),

pattern_cells as (

    {{ cell_accounts('placed', 'unit', 'collaboration_pattern', 'collaboration_pattern is not null') }}

),

final as (

    select
        'category' as table_name,
        parent as row_key,
        child as column_key,
        account,
        n,
        digest
    from category_cells

    union all

    select
        'pattern' as table_name,
        parent as row_key,
        child as column_key,
        account,
        n,
        digest
    from pattern_cells

)

select * from final
