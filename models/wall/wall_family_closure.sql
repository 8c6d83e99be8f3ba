-- Grain: one row per family, parent and child that occurs; `block` is the child, '*' (residual) or null (withheld).
{%- set n_domain %}
            case
                when pass.parent like 'model|%'
                    then (select count(distinct child) from cells where parent like 'model|%')
                when pass.parent like 'composition|%' then 5
                -- More than any facet has: below the policy's limit a generic facet never shows that an option is unused.
                when pass.parent like 'facet|%' then 1000
                else 2
            end
{%- endset %}
with cells as (

    select
        family || '|' || parent as parent,
        child,
        account,
        n
    from {{ ref('wall_family_cells') }}

),

closed as (

    {{ close_children('cells', ref('wall_policy'), n_domain=n_domain) }}

),

final as (

    select
        split_part(parent, '|', 1) as family,
        substr(parent, strpos(parent, '|') + 1) as parent,
        child,
        block
    from closed

)

select * from final
