-- Grain: one row per occupation with a published task and collaboration pattern or group of patterns.
with counted as (

    {{ allocate_collaboration('onet_soc_code') }}

),

occupations as (

    select * from {{ ref('occupations') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

rows_of_unit as (

    {{ collaboration_rows('counted', ['onet_soc_code'], is_allocated=true) }}

),

final as (

    select
        run.release_id,
        run.taxonomy_release,
        occupations.title,
        rows_of_unit.*
    from rows_of_unit
    inner join occupations
        on rows_of_unit.onet_soc_code = occupations.onet_soc_code
    cross join run

)

select * from final
