-- Grain: one row: everything that the identity of a release depends on.
with intake as (

    select * from {{ ref('conversation_intake') }}

),

facts as (

    select * from {{ ref('fct_conversations') }}

),

labels as (

    select * from {{ ref('fct_conversation_labels') }}

),

spine_blocks as (

    select * from {{ ref('wall_spine_blocks') }}

),

policy as (

    select * from {{ ref('wall_policy') }}

),

releases as (

    select * from {{ ref('stg_taxonomy__release') }}

),

allocation as (

    select * from {{ ref('task_allocation') }}

),

hierarchy as (

    select * from {{ ref('task_hierarchy') }}

),

input_digests as (

    select
        count(*) as n_input,
        coalesce(bool_or(is_test_accounts), false) as is_test_accounts,
        -- Ids that only the sample generator gives: made-up conversations are nobody's.
        coalesce(bool_and(case when intake_outcome = 'to_label' then conversation_id like 'sample-%' end), false) as is_sample_input,
        {{ digest_of(
            "concat_ws('|', input_row, conversation_id, account_key, organization_key, started_at, model, product, "
            ~ "country_code, region_code, extended_thinking, content_hash, intake_outcome, intake_reason)"
        ) }} as input_digest
    from intake

),

fact_digests as (

    select {{ digest_of("concat_ws('|', input_row, outcome, outcome_reason, task_id, collaboration_pattern)") }} as fact_digest
    from facts

),

label_digests as (

    select {{ digest_of("concat_ws('|', input_row, facet, option_id)") }} as label_digest
    from labels

),

taxonomy_digests as (

    select {{ digest_of("concat_ws('|', task_id, onet_soc_code, soc_major_code, n_holders)") }} as allocation_digest
    from allocation

),

hierarchy_digests as (

    select {{ digest_of("concat_ws('|', level, node_id, parent_node_id, name)") }} as hierarchy_digest
    from hierarchy

),

final as (

    select
        input_digests.input_digest,
        fact_digests.fact_digest,
        label_digests.label_digest,
        input_digests.is_test_accounts,
        input_digests.is_sample_input,
        releases.taxonomy_release,
        releases.soc_vintage,
        releases.is_sample as is_sample_taxonomy,
        taxonomy_digests.allocation_digest || hierarchy_digests.hierarchy_digest as taxonomy_hash,
        policy.policy as privacy_policy,
        concat_ws(
            '|', policy.policy, policy.privacy_unit, policy.min_conversations, policy.min_accounts,
            policy.max_share_of_largest_account, policy.min_conversations_without_two_largest,
            policy.min_accounts_without_two_largest, policy.min_remainder_share_of_largest,
            policy.min_conversations_country, policy.min_conversations_region, policy.rounding_base,
            policy.account_rounding_base, policy.min_accounts_for_exact_band, policy.min_share_denominator,
            policy.zero_closure_below
        ) as privacy_policy_text,
        case when (select count(*) from spine_blocks) > 0 then 'published' else 'withheld' end as window_status
    from input_digests
    cross join fact_digests
    cross join label_digests
    cross join taxonomy_digests
    cross join hierarchy_digests
    cross join policy
    cross join releases

)

select * from final
