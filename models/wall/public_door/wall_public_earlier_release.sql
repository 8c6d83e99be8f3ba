-- Grain: one row per family and unit of the earlier release that is compared with. Public door.
with final as (

    select
        release_id,
        taxonomy_release,
        window_start,
        window_end,
        family,
        unit,
        status,
        n_conversations,
        n_support_conversations,
        n_accounts_at_least,
        share_of_base,
        share_of_base_lower,
        share_of_base_upper
    from {{ ref('earlier_release_values') }}

)

select * from final
