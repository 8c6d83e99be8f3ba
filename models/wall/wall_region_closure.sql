-- Grain: one row per country that is shown and region that may stand alone (or `other`); `block` says where it counts.
-- A country of which no region stands alone has no block: its rest would be the country once more.
{%- set n_domain = "(select count(*) from " ~ ref('regions') ~ " as known where known.country_code = pass.parent)" %}
with closed as (

    {{ close_children(ref('wall_region_cells'), ref('wall_policy'), n_domain=n_domain) }}

),

final as (

    select
        parent as country_code,
        coalesce(child, 'other') as region_code,
        case when max(case when block <> '*' then 1 else 0 end) over (partition by parent) = 1 then block end as block
    from closed

)

select * from final
