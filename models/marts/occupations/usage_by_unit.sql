-- Grain: one row per SOC major group: use by conversations beside use by accounts.
{#
    Conversations are allocated as everywhere; an account counts once in every group that holds a published task it
    used. Only groups where both are published take part in the shares and in the correlations (the paper's B.2).
#}
with conversations as (

    select * from {{ ref('occupation_category_usage') }}
    where soc_major_code <> 'unattributed'

),

accounts as (

    select * from {{ ref('wall_public_category_accounts') }}

),

paired as (

    select
        conversations.release_id,
        conversations.taxonomy_release,
        conversations.soc_major_code,
        conversations.title,
        case when accounts.status = 'published' then conversations.n_conversations end as n_conversations,
        case when accounts.status = 'published' then conversations.n_support_conversations end as n_support_conversations,
        case when conversations.status = 'published' then conversations.n_accounts_at_least end as n_accounts_at_least_of_largest_block,
        case when conversations.status = 'published' then accounts.n_accounts_rounded end as n_accounts_rounded
    from conversations
    inner join accounts
        on conversations.soc_major_code = accounts.soc_major_code

),

totals as (

    select
        -- As decimals: a parallel sum of floats is not the same to the last bit twice.
        sum(case when n_accounts_rounded is not null then cast(n_conversations as decimal(38, 9)) end) as n_conversations,
        sum(case when n_conversations is not null then n_accounts_rounded end) as n_accounts
    from paired

),

shared as (

    select
        paired.*,
        {{ share_columns('share_of_conversations', 'paired.n_conversations', 'totals.n_conversations') }},
        {{ share_columns('share_of_accounts', 'paired.n_accounts_rounded', 'totals.n_accounts') }}
    from paired
    cross join totals

),

ranked as (

    select
        shared.*,
        case
            when share_of_accounts is not null
                then
                    rank() over (partition by share_of_accounts is null order by share_of_conversations)
                    + (count(*) over (partition by share_of_conversations, share_of_accounts is null) - 1) / 2.0
        end as rank_of_conversations,
        case
            when share_of_accounts is not null
                then
                    rank() over (partition by share_of_accounts is null order by share_of_accounts)
                    + (count(*) over (partition by share_of_accounts) - 1) / 2.0
        end as rank_of_accounts
    from shared

),

-- Rounded, so that the last bits of a parallel sum cannot show in a released value. Without two different values on
-- both sides there is no correlation: DuckDB would give NaN.
correlations as (

    select
        round(corr(share_of_conversations, share_of_accounts), 6) as correlation_pearson,
        round(corr(rank_of_conversations, rank_of_accounts), 6) as correlation_spearman
    from ranked
    where share_of_accounts is not null
    having
        min(share_of_conversations) < max(share_of_conversations)
        and min(share_of_accounts) < max(share_of_accounts)

),

final as (

    select
        ranked.release_id,
        ranked.taxonomy_release,
        ranked.soc_major_code,
        ranked.title,
        case when ranked.n_accounts_rounded is not null then {{ status_of('ranked.n_support_conversations') }} else 'withheld' end as status,
        ranked.n_conversations,
        ranked.n_support_conversations,
        case when ranked.n_accounts_rounded is not null then ranked.n_accounts_at_least_of_largest_block end as n_accounts_at_least,
        cast(ranked.n_accounts_rounded as bigint) as n_accounts_rounded,
        ranked.share_of_conversations,
        ranked.share_of_conversations_lower,
        ranked.share_of_conversations_upper,
        ranked.share_of_accounts,
        ranked.share_of_accounts_lower,
        ranked.share_of_accounts_upper,
        case when ranked.n_accounts_rounded is not null then correlations.correlation_pearson end as correlation_pearson,
        case when ranked.n_accounts_rounded is not null then correlations.correlation_spearman end as correlation_spearman
    from ranked
    left join correlations
        on true

)

select * from final
