-- All marts carry the one release_id of the run: no table of an earlier build was left standing.
with run as (

    select release_id from {{ ref('wall_public_run') }}

),

ids as (
    {% for mart in [
        'task_usage', 'task_hierarchy_usage', 'skill_usage', 'conversation_composition', 'occupation_usage',
        'occupation_category_usage', 'depth_of_use', 'wage_usage', 'wage_band_usage', 'job_zone_usage', 'usage_by_unit',
        'collaboration_usage', 'task_collaboration_usage', 'occupation_collaboration_usage',
        'category_collaboration_usage', 'model_usage', 'thinking_usage', 'geography_usage', 'geography_category_usage',
        'geography_collaboration_usage', 'region_usage', 'outcome_totals', 'suppression_summary', 'analysis_metadata', 'release_manifest',
        'release_change',
    ] %}

    select distinct
        '{{ mart }}' as mart,
        release_id
    from {{ ref(mart) }}
    {{ "union all" if not loop.last }}
    {% endfor %}

)

select ids.*
from ids
left join run
    on ids.release_id = run.release_id
where run.release_id is null
