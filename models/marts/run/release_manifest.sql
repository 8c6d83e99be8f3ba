-- Grain: one row per fact about the release.
with run as (

    select * from {{ ref('wall_public_run') }}

),
{% if not is_imported() %}

usage as (

    select * from {{ ref('wall_public_usage') }}

),
{% endif %}

facts as (
    {% for item in [
        'project_version', 'taxonomy_release', 'soc_vintage', 'taxonomy_hash', 'privacy_policy', 'privacy_policy_hash',
        'engine', 'engine_identity', 'strategy', 'window_start', 'window_end', 'population', 'sample_n', 'window_status',
        'is_test_accounts', 'is_sample_taxonomy', 'max_tasks', 'taxonomy_engine', 'previous_release'
    ] %}

    select
        release_id,
        {{ loop.index }} as position,
        '{{ item }}' as item,
        cast({{ item }} as {{ dbt.type_string() }}) as value
    from run
    {{ "union all" if not loop.last }}
    {% endfor %}
    {% if not is_imported() %}
    -- What the answers cost, in two significant digits; the exact figures stay in the private run_usage.
    {% for item in ['usage_calls', 'usage_input_tokens', 'usage_output_tokens', 'usage_cost_usd'] %}
    union all

    select
        run.release_id,
        {{ 19 + loop.index }} as position,
        '{{ item }}' as item,
        usage.{{ item }} as value
    from run
    cross join usage
    {% endfor %}
    {% endif %}

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
