-- Grain: one row per fact about the release.
with run as (

    select * from {{ ref('wall_public_run') }}

),

facts as (

    select release_id, 1 as position, 'project_version' as item, project_version as value from run
    union all
    select release_id, 2 as position, 'taxonomy_release' as item, taxonomy_release as value from run
    union all
    select release_id, 3 as position, 'soc_vintage' as item, soc_vintage as value from run
    union all
    select release_id, 4 as position, 'taxonomy_hash' as item, taxonomy_hash as value from run
    union all
    select release_id, 5 as position, 'privacy_policy' as item, privacy_policy as value from run
    union all
    select release_id, 6 as position, 'privacy_policy_hash' as item, privacy_policy_hash as value from run
    union all
    select release_id, 7 as position, 'engine' as item, engine as value from run
    union all
    select release_id, 8 as position, 'engine_identity' as item, engine_identity as value from run
    union all
    select release_id, 9 as position, 'strategy' as item, strategy as value from run
    union all
    select release_id, 10 as position, 'window_start' as item, window_start as value from run
    union all
    select release_id, 11 as position, 'window_end' as item, window_end as value from run
    union all
    select release_id, 12 as position, 'population' as item, population as value from run
    union all
    select release_id, 13 as position, 'sample_n' as item, sample_n as value from run
    union all
    select release_id, 14 as position, 'window_status' as item, window_status as value from run
    union all
    select release_id, 15 as position, 'is_test_accounts' as item, cast(is_test_accounts as {{ dbt.type_string() }}) as value from run
    union all
    select release_id, 16 as position, 'is_sample_taxonomy' as item, cast(is_sample_taxonomy as {{ dbt.type_string() }}) as value from run

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
