with

source as (

    select * from {{ ref('onet_job_zones') }}

),

final as (

    select
        onet_soc_code,
        job_zone
    from source

)

select * from final
