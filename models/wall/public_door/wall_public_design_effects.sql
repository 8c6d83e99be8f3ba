-- Grain: one row per family and published unit: the class of its design effect. Public door.
{{ config(enabled=not is_imported()) }}
with classes as (

    select * from {{ ref('design_effect_classes') }}

),

final as (

    select
        family,
        unit,
        design_effect_class
    from classes
    where design_effect_class in (1, 1.5, 2, 3, 5)

)

select * from final
