-- Grain: one row per input row of the release: in the window, the population and the draw. No text.
{%- set window = var('window') or {} %}
{%- set sample_n = var('sample_n') %}
with conversations as (

    select * from {{ ref('stg_conversations__read') }}

),

-- A quarantined row whose time cannot be read belongs to every window: nothing that came in goes uncounted.
in_scope as (

    select
        input_row,
        source_file,
        conversation_id,
        account_key,
        organization_key,
        started_at,
        content_hash,
        n_messages,
        n_user_messages,
        n_characters,
        model,
        product,
        language,
        country_code,
        region_code,
        extended_thinking,
        safety_flagged,
        input_tokens,
        output_tokens,
        is_test_accounts,
        sample_draw,
        quarantine_reason
    from conversations
    where
        is_in_population
    {%- if window.get('start') %}
        and (started_at is null or started_at >= {{ utc_timestamp(window.get('start')) }})
    {%- endif %}
    {%- if window.get('end') %}
        and (started_at is null or started_at < {{ utc_timestamp(window.get('end')) }})
    {%- endif %}

),
{% if sample_n is not none %}
-- The n conversations with the smallest keyed draw; a repeated id is drawn once and comes with all its rows.
drawn as (

    select
        conversation_id,
        sample_draw
    from in_scope
    group by conversation_id, sample_draw
    order by sample_draw, conversation_id
    limit {{ sample_n | int }}

),

input as (

    select in_scope.*
    from in_scope
    inner join drawn
        on in_scope.conversation_id = drawn.conversation_id

),
{% else %}
input as (

    select * from in_scope

),
{% endif %}
-- Of rows with one id the first admitted stays; quarantined ones have their own reason already.
identified as (

    select
        *,
        row_number() over (
            partition by
                conversation_id,
                quarantine_reason is null
            order by input_row
        ) as id_rank
    from input

),

-- All conversations without an account count as one account, so they are duplicates of each other too.
ranked as (

    select
        *,
        quarantine_reason is null and id_rank = 1 as is_admitted,
        row_number() over (
            partition by
                quarantine_reason is null and id_rank = 1,
                account_key,
                content_hash
            order by
                started_at,
                input_row
        ) as content_rank
    from identified

),

final as (

    select
        input_row,
        source_file,
        conversation_id,
        account_key,
        organization_key,
        started_at,
        content_hash,
        n_messages,
        n_user_messages,
        n_characters,
        model,
        product,
        language,
        country_code,
        region_code,
        extended_thinking,
        safety_flagged,
        input_tokens,
        output_tokens,
        is_test_accounts,
        case
            when not is_admitted then 'quarantined'
            when content_rank > 1 then 'duplicate'
            {%- if var('safety_filter', true) %}
            when safety_flagged then 'safety_filtered'
            {%- endif %}
            else 'to_label'
        end as intake_outcome,
        case
            when quarantine_reason is not null then quarantine_reason
            when not is_admitted then 'duplicate_id'
            when content_rank > 1 then 'same_account_same_messages'
            {%- if var('safety_filter', true) %}
            when safety_flagged then 'flagged_in_source'
            {%- endif %}
        end as intake_reason
    from ranked

)

select * from final
