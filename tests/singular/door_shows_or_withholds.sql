-- The door knows two states. That something does not apply follows from reference data alone, in the marts; a door that told
-- what was never used from what was used too little would tell primary and secondary apart.
{% set doors = [
    'wall_public_tasks', 'wall_public_task_patterns', 'wall_public_task_models', 'wall_public_task_thinking',
    'wall_public_residuals', 'wall_public_rests', 'wall_public_facets', 'wall_public_composition', 'wall_public_outcomes',
    'wall_public_geographies', 'wall_public_geography_patterns', 'wall_public_regions', 'wall_public_category_accounts',
] %}
with doors as (
    {% for door in doors %}

    select distinct
        '{{ door }}' as door,
        status
    from {{ ref(door) }}
    {{ "union all" if not loop.last }}
    {% endfor %}

)

select *
from doors
where not coalesce(status in ('published', 'withheld'), false)
