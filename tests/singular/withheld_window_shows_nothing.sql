-- Where not even the whole window is a safe block, the build is green and the door is empty of values.
with run as (

    select * from {{ ref('wall_public_run') }}

),

shown as (

    select
        'tasks' as door,
        status
    from {{ ref('wall_public_tasks') }}
    union all
    select
        'task_patterns' as door,
        status
    from {{ ref('wall_public_task_patterns') }}
    union all
    select
        'task_models' as door,
        status
    from {{ ref('wall_public_task_models') }}
    union all
    select
        'task_thinking' as door,
        status
    from {{ ref('wall_public_task_thinking') }}
    union all
    select
        'residuals' as door,
        status
    from {{ ref('wall_public_residuals') }}
    union all
    select
        'rests' as door,
        status
    from {{ ref('wall_public_rests') }}
    union all
    select
        'facets' as door,
        status
    from {{ ref('wall_public_facets') }}
    union all
    select
        'composition' as door,
        status
    from {{ ref('wall_public_composition') }}
    union all
    select
        'geographies' as door,
        status
    from {{ ref('wall_public_geographies') }}
    union all
    select
        'geography_patterns' as door,
        status
    from {{ ref('wall_public_geography_patterns') }}
    union all
    select
        'regions' as door,
        status
    from {{ ref('wall_public_regions') }}
    union all
    select
        'category_accounts' as door,
        status
    from {{ ref('wall_public_category_accounts') }}

)

select
    shown.door,
    count(*) as n_published
from shown
cross join run
where
    run.window_status = 'withheld'
    and shown.status = 'published'
group by shown.door
