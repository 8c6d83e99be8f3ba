-- Grain: one row: the privacy policy in force.
with policies as (

    select * from {{ ref('privacy_policies') }}

),

final as (

    select
        policy,
        privacy_unit,
        min_conversations,
        min_accounts,
        max_share_of_largest_account,
        min_conversations_without_two_largest,
        min_accounts_without_two_largest,
        min_remainder_share_of_largest,
        min_conversations_country,
        min_conversations_region,
        rounding_base,
        account_rounding_base,
        min_accounts_for_exact_band,
        min_share_denominator,
        zero_closure_below
    from policies
    where policy = '{{ var("privacy_policy") }}'

)

select * from final
