-- Grain: one row per geographic unit and category that occurs together; is_own says that the cell stands alone.
-- Columns: the SOC major groups, and one for tasks of several.
with final as (

    {{ geography_closure('category', n_columns="(select count(*) + 1 from " ~ ref("soc_major_groups") ~ ")") }}

)

select * from final
