with

source as (

    select * from {{ ref('onet_iwa_reference') }}

),

final as (

    select
        element_id as gwa_id,
        iwa_id,
        iwa_title
    from source

)

select * from final
