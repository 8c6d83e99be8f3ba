-- Grain: one row per SOC major group with a published task and collaboration pattern or group of patterns.
with counted as (

    {{ allocate_collaboration('soc_major_code') }}

),

groups as (

    select * from {{ ref('soc_major_groups') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

rows_of_unit as (

    {{ collaboration_rows('counted', ['soc_major_code']) }}

),

final as (

    select
        run.release_id,
        run.taxonomy_release,
        groups.title,
        rows_of_unit.*
    from rows_of_unit
    inner join groups
        on rows_of_unit.soc_major_code = groups.soc_major_code
    cross join run

)

select * from final
