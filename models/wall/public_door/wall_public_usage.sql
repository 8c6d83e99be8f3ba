-- Grain: one row: what the answers behind the release cost, in two significant digits. Public door.
{#
    Summed over the answers that the labels and the hierarchy rest on, each once, as the ledger keeps them: a re-run and a
    killed and resumed run have the same sums. What was really sent and paid (retries, repairs, failures) stays in run_usage.
#}
{{ config(enabled=not is_imported()) }}
with used as (

    select * from {{ ref('run_usage') }}

),

totals as (

    select
        coalesce(sum(n_answers), 0) as n_calls,
        coalesce(sum(answer_input_tokens + answer_cached_tokens), 0) as input_tokens,
        coalesce(sum(answer_output_tokens), 0) as output_tokens,
        -- A sum over stages of which one has no price would be too small: there is none then.
        case when count(*) = count(answer_cost_usd) then coalesce(sum(answer_cost_usd), 0) end as cost_usd
    from used

),

final as (

    select
        {{ two_digits('n_calls') }} as usage_calls,
        {{ two_digits('input_tokens') }} as usage_input_tokens,
        {{ two_digits('output_tokens') }} as usage_output_tokens,
        {{ two_digits('cost_usd') }} as usage_cost_usd
    from totals

)

select * from final
