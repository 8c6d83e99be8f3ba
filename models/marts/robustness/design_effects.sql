-- Grain: one row per family and unit whose share is published: how much wider its interval is because of accounts.
with classes as (

    select * from {{ ref('wall_public_design_effects') }}

),

published as (

    select
        'task' as family,
        cast(task_id as {{ dbt.type_string() }}) as unit
    from {{ ref('task_usage') }}
    where status = 'published'

    union all

    select
        'occupation' as family,
        onet_soc_code as unit
    from {{ ref('occupation_usage') }}
    where status = 'published'

    union all

    select
        'soc_major_group' as family,
        soc_major_code as unit
    from {{ ref('occupation_category_usage') }}
    where status = 'published'

    union all

    select
        'collaboration_pattern' as family,
        collaboration_pattern as unit
    from {{ ref('collaboration_usage') }}
    where
        status = 'published'
        and pattern_level = 'pattern'

),

run as (

    select * from {{ ref('wall_public_run') }}

),

final as (

    select
        run.release_id,
        classes.family,
        classes.unit,
        'published' as status,
        classes.design_effect_class
    from classes
    inner join published
        on
            classes.family = published.family
            and classes.unit = published.unit
    cross join run

)

select * from final
