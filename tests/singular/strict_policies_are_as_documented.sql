-- What the name `strict` stands for is written in docs/privacy.md and printed in every manifest: a row of that name that
-- asks for less would be a promise that is not kept. Own policies have names of their own.
select *
from {{ ref('privacy_policies') }}
where
    policy in ('strict', 'strict_organization')
    and not coalesce(
        min_conversations >= 15
        and min_accounts >= 5
        and max_share_of_largest_account <= 0.5
        and min_conversations_without_two_largest >= 10
        and min_accounts_without_two_largest >= 3
        and min_remainder_share_of_largest >= 0.1
        and min_conversations_country >= 200
        and min_conversations_region >= 100
        and rounding_base >= 5
        and account_rounding_base >= 25
        and min_accounts_for_exact_band >= 100
        and zero_closure_below >= 500
        and privacy_unit = case when policy = 'strict' then 'account' else 'organization' end,
        false
    )
