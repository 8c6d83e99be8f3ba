-- Grain: one row: the identity of an imported release. It hashes public files only, so it needs no key.
with release as (

    select * from {{ imported_table('run') }}

),

taxonomy as (

    select * from {{ ref('stg_taxonomy__release') }}

),

allocation as (

    select {{ digest_of("concat_ws('|', task_id, onet_soc_code, soc_major_code, n_holders)") }} as taxonomy_hash
    from {{ ref('task_allocation') }}

),

blocks as (

    select count(*) as n from {{ ref('imported_spine_blocks') }}

),

final as (

    select
        substr(md5(concat_ws('|', release.project_version, release.content_hash, allocation.taxonomy_hash)), 1, 16) as release_id,
        release.project_version,
        taxonomy.taxonomy_release,
        cast(taxonomy.soc_vintage as {{ dbt.type_string() }}) as soc_vintage,
        substr(md5(allocation.taxonomy_hash), 1, 16) as taxonomy_hash,
        taxonomy.is_sample as is_sample_taxonomy,
        'as_published' as privacy_policy,
        substr(md5('as_published'), 1, 16) as privacy_policy_hash,
        'imported' as engine,
        substr(release.content_hash, 1, 16) as engine_identity,
        'as_published' as strategy,
        -- How the publishers labelled is their method's matter; a release does not carry it.
        cast(null as {{ dbt.type_string() }}) as max_tasks,
        cast(null as {{ dbt.type_string() }}) as taxonomy_engine,
        cast(null as {{ dbt.type_string() }}) as previous_release,
        release.window_start,
        release.window_end,
        'imported:' || release.release_name as population,
        cast(release.n_total as {{ dbt.type_string() }}) as sample_n,
        case when blocks.n > 0 then 'published' else 'withheld' end as window_status,
        false as is_test_accounts
    from release
    cross join taxonomy
    cross join allocation
    cross join blocks

)

select * from final
