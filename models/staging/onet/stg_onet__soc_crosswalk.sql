with

source as (

    select * from {{ ref('onet_soc_crosswalk') }}

),

final as (

    select
        onet_soc_2010_code,
        onet_soc_2010_title,
        onet_soc_2019_code,
        onet_soc_2019_title
    from source

)

select * from final
