with

source as (

    select * from {{ ref('onet_dwa_reference') }}

),

final as (

    select
        element_id as gwa_id,
        iwa_id,
        dwa_id,
        dwa_title
    from source

)

select * from final
