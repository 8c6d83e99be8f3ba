-- The door's account bands, worked out again from the blocks with the edges of docs/privacy.md: the highest edge that the
-- largest block reaches, never more.
{{ config(group='private_side', enabled=not is_imported()) }}
with edges as (

    select edge
    from (
        values
        (5), (10), (25), (50), (100), (250), (500), (1000), (2500), (5000), (10000), (25000), (50000), (100000),
        (250000), (500000), (1000000)
    ) as listed (edge)

),

units as (

    select
        case when block_level = 'task' then cast(task_id as {{ dbt.type_string() }}) else coalesce(onet_soc_code, soc_major_code, 'global') end as unit,
        max(n_accounts) as n_accounts
    from {{ ref('wall_spine_blocks') }}
    group by 1

),

expected as (

    select
        units.unit,
        max(edges.edge) as n_accounts_at_least
    from units
    left join edges
        on units.n_accounts >= edges.edge
    group by units.unit

),

shown as (

    select
        cast(task_id as {{ dbt.type_string() }}) as unit,
        n_accounts_at_least
    from {{ ref('wall_public_tasks') }}
    where status = 'published'

    union all

    select
        unit,
        n_accounts_at_least
    from {{ ref('wall_public_residuals') }}
    where status = 'published'

)

select
    shown.unit,
    shown.n_accounts_at_least
from shown
left join expected
    on shown.unit = expected.unit
where not coalesce(shown.n_accounts_at_least = expected.n_accounts_at_least, false)
