-- Grain: one row per published country (or `other`) and collaboration_pattern.
with final as (

    {{ geography_table(
        ref('wall_public_geography_patterns'), 'collaboration_pattern',
        labels=ref('collaboration_patterns'), key='pattern', title='label', label='label'
    ) }}

)

select * from final
