with

source as (

    select * from {{ ref('onet_occupations') }}

),

final as (

    select
        onet_soc_code,
        title,
        description
    from source

)

select * from final
