-- Grain: one row per input row, as the reader delivers it.
with source as (

    select * from {{ ref('conversations_read') }}

),

final as (

    select
        input_row,
        source_file,
        conversation_id,
        account_key,
        organization_key,
        started_at,
        messages,
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
        is_in_population,
        sample_draw,
        quarantine_reason
    from source

)

select * from final
