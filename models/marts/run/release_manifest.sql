-- Grain: one row per fact about the release.
with run as (

    select * from {{ ref('wall_public_run') }}

),

facts as (
    {% for item in [
        'project_version', 'taxonomy_release', 'soc_vintage', 'taxonomy_hash', 'privacy_policy', 'privacy_policy_hash',
        'engine', 'engine_identity', 'strategy', 'window_start', 'window_end', 'population', 'sample_n', 'window_status',
        'is_test_accounts', 'is_sample_taxonomy'
    ] %}

    select
        release_id,
        {{ loop.index }} as position,
        '{{ item }}' as item,
        cast({{ item }} as {{ dbt.type_string() }}) as value
    from run
    {{ "union all" if not loop.last }}
    {% endfor %}

),

final as (

    select
        release_id,
        cast(position as integer) as position,
        item,
        value
    from facts

)

select * from final
