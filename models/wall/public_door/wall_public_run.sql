-- Grain: one row: the release's identity, repeated in every mart as release_id. Public door.
with final as (

    select
        release_id,
        project_version,
        taxonomy_release,
        soc_vintage,
        taxonomy_hash,
        is_sample_taxonomy,
        privacy_policy,
        privacy_policy_hash,
        engine,
        engine_identity,
        strategy,
        max_tasks,
        taxonomy_engine,
        previous_release,
        window_start,
        window_end,
        population,
        sample_n,
        window_status,
        is_test_accounts
    from {{ door('run') }}

)

select * from final
