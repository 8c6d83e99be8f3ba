-- Grain: one row per published country (or `other`) and soc_group.
with final as (

    {{ geography_table(
        ref('wall_public_geographies'), 'soc_group',
        labels=ref('soc_major_groups'), key='soc_major_code', title='title', label='soc_group_title'
    ) }}

)

select * from final
