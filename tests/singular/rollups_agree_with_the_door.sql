-- Every roll-up shows the same mass as the door's tasks: occupations, SOC major groups, wage bands, job zones, and every
-- level of the hierarchy. Marts hold one division of an exact sum each, so they agree to 1e-9 of the total.
with published as (

    select coalesce(sum(n_conversations), 0) as n
    from {{ ref('wall_public_tasks') }}

),

occupations as (

    select
        soc_major_code,
        sum(n_conversations) as n
    from {{ ref('occupation_usage') }}
    where onet_soc_code <> 'unattributed'
    group by soc_major_code

),

categories as (

    select
        soc_major_code,
        n_conversations as n
    from {{ ref('occupation_category_usage') }}
    where soc_major_code <> 'unattributed'

),

hierarchy as (

    select * from {{ ref('task_hierarchy_usage') }}
    where node_id <> 'unattributed'

),

children as (

    select
        parent_node_id,
        sum(n_conversations) as n
    from hierarchy
    where parent_node_id is not null
    group by parent_node_id

),

sums as (

    select
        'occupation_usage' as part,
        sum(n) as n
    from occupations
    union all
    select
        'occupation_category_usage' as part,
        sum(n) as n
    from categories
    union all
    select
        'wage_band_usage' as part,
        sum(n_conversations) as n
    from {{ ref('wage_band_usage') }}
    where wage_band <> 'unattributed'
    union all
    select
        'job_zone_usage' as part,
        sum(n_conversations) as n
    from {{ ref('job_zone_usage') }}
    where job_zone <> 'unattributed'
    union all
    select
        'task_hierarchy_usage level ' || cast(level as {{ dbt.type_string() }}) as part,
        sum(n_conversations) as n
    from hierarchy
    group by level

),

differences as (

    select
        sums.part,
        coalesce(sums.n, 0) as n_here,
        published.n as n_expected
    from sums
    cross join published

    union all

    select
        'SOC major group ' || coalesce(occupations.soc_major_code, categories.soc_major_code) as part,
        coalesce(occupations.n, 0) as n_here,
        coalesce(categories.n, 0) as n_expected
    from occupations
    full outer join categories
        on occupations.soc_major_code = categories.soc_major_code

    union all

    select
        'hierarchy node ' || hierarchy.node_id as part,
        coalesce(children.n, 0) as n_here,
        coalesce(hierarchy.n_conversations, 0) as n_expected
    from children
    inner join hierarchy
        on children.parent_node_id = hierarchy.node_id

)

select *
from differences
where not abs(n_here - n_expected) <= 1e-9 * greatest(1, n_expected)
