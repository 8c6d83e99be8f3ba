-- Grain: one row per geographic unit and pattern that occurs together; is_own says that the cell stands alone.
-- Columns: the six patterns, and one for patterns that are not safe over everything.
with final as (

    {{ geography_closure('pattern', n_columns=7) }}

)

select * from final
