with

source as (

    select * from {{ ref('taxonomy_release') }}

),

final as (

    select
        taxonomy_release,
        soc_vintage,
        wage_release,
        is_sample,
        source as source_note
    from source

)

select * from final
