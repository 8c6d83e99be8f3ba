-- Grain: one row per conversation of the input, reduced to what may be counted: no time, no text.
with conversations as (

    select * from {{ ref('fct_conversations') }}

),

policy as (

    select * from {{ ref('wall_policy') }}

),

assistant_models as (

    select * from {{ ref('assistant_models') }}

),

final as (

    select
        conversations.input_row,
        -- Missing ids count together as one account: a block cannot be filled up with rows of nobody.
        {{ account_number("coalesce(case when policy.privacy_unit = 'organization' then conversations.organization_key else conversations.account_key end, '')") }} as account,
        conversations.outcome,
        conversations.task_id,
        conversations.collaboration_pattern,
        -- Only reviewed names leave the private side: a name that the list does not have counts as 'other'.
        case when conversations.model is not null then coalesce(assistant_models.model, 'other') end as model,
        conversations.is_extended_thinking,
        conversations.country_code,
        conversations.region_code,
        -- A repeated id is quarantined, so only there the row's place is needed to tell two records apart.
        {{ record_number("concat_ws('|', conversations.conversation_id, case when conversations.outcome = 'quarantined' then conversations.input_row end)") }} as record
    from conversations
    cross join policy
    left join assistant_models
        on conversations.model = assistant_models.model

)

select * from final
