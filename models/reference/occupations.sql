with

occupations as (

    select * from {{ ref('stg_onet__occupations') }}

),

job_zones as (

    select * from {{ ref('stg_onet__job_zones') }}

),

wages as (

    select * from {{ ref('stg_bls__oews_national') }}
    where o_group = 'detailed'

),

soc_crosswalk as (

    select * from {{ ref('stg_onet__soc_crosswalk') }}

),

taxonomy_release as (

    select * from {{ ref('stg_taxonomy__release') }}

),

task_occupations as (

    select * from {{ ref('task_occupations') }}

),

task_counts as (

    select
        onet_soc_code,
        cast(count(*) as integer) as n_tasks
    from task_occupations
    group by onet_soc_code

),

first_targets as (

    -- The official file is sorted, so the lowest 2019 code is its first row for a 2010 code.
    select
        onet_soc_2010_code,
        min(onet_soc_2019_code) as onet_soc_2019_code
    from soc_crosswalk
    group by onet_soc_2010_code

),

first_zone_targets as (

    -- Zones may come from a later release than the tasks: the first target that has a zone gives it.
    select
        soc_crosswalk.onet_soc_2010_code,
        min(soc_crosswalk.onet_soc_2019_code) as onet_soc_2019_code
    from soc_crosswalk
    inner join job_zones
        on soc_crosswalk.onet_soc_2019_code = job_zones.onet_soc_code
    group by soc_crosswalk.onet_soc_2010_code

),

coded as (

    select
        occupations.onet_soc_code,
        occupations.title,
        case
            when taxonomy_release.soc_vintage = '2010'
                then coalesce(first_targets.onet_soc_2019_code, occupations.onet_soc_code)
            else occupations.onet_soc_code
        end as onet_soc_2019_code,
        case when taxonomy_release.soc_vintage = '2010' then first_zone_targets.onet_soc_2019_code end
            as zone_target_code,
        taxonomy_release.taxonomy_release,
        taxonomy_release.soc_vintage,
        taxonomy_release.wage_release
    from occupations
    cross join taxonomy_release
    left join first_targets
        on occupations.onet_soc_code = first_targets.onet_soc_2010_code
    left join first_zone_targets
        on occupations.onet_soc_code = first_zone_targets.onet_soc_2010_code

),

matched as (

    -- BLS publishes some occupations only together (13-1020 for 13-1021 to 13-1023): then that row is theirs.
    select
        coded.*,
        coalesce(by_full_code.occ_code, by_2019_code.occ_code, by_own_code.occ_code, by_group.occ_code) as oews_code
    from coded
    -- A published release may bring wages by O*NET-SOC code, in the vintage of its tasks; OEWS codes are shorter.
    left join wages as by_full_code
        on coded.onet_soc_code = by_full_code.occ_code
    left join wages as by_2019_code
        on substring(coded.onet_soc_2019_code, 1, 7) = by_2019_code.occ_code
    left join wages as by_own_code
        on substring(coded.onet_soc_code, 1, 7) = by_own_code.occ_code
    left join wages as by_group
        on concat(substring(coded.onet_soc_2019_code, 1, 6), '0') = by_group.occ_code

),

final as (

    select
        matched.onet_soc_code,
        matched.title,
        substring(matched.onet_soc_code, 1, 7) as soc_code,
        substring(matched.onet_soc_code, 1, 2) as soc_major_code,
        matched.onet_soc_2019_code,
        cast(coalesce(own_zones.job_zone, target_zones.job_zone) as integer) as job_zone,
        matched.oews_code,
        wages.median_wage_usd,
        wages.is_top_coded,
        wages.n_employed,
        case
            when matched.oews_code is not null
                then cast(count(*) over (partition by matched.oews_code) as integer)
        end as n_sharing_employment,
        coalesce(task_counts.n_tasks, 0) as n_tasks,
        matched.taxonomy_release,
        matched.soc_vintage,
        matched.wage_release
    from matched
    left join wages
        on matched.oews_code = wages.occ_code
    left join job_zones as own_zones
        on matched.onet_soc_code = own_zones.onet_soc_code
    left join job_zones as target_zones
        on matched.zone_target_code = target_zones.onet_soc_code
    left join task_counts
        on matched.onet_soc_code = task_counts.onet_soc_code

)

select * from final
