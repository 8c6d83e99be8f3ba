-- Grain: one row per count of an imported release. Counts come as published: they are not rounded a second time.
with blocks as (

    select * from {{ ref('imported_blocks') }}

),

final as (

    select
        block_id,
        n as n_rounded
    from blocks

)

select * from final
