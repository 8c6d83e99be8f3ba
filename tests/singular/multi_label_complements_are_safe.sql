-- A count over several options gives away its complement: whoever did not choose an option that is shown is a safe block
-- too, counted here account by account.
{{ config(group='private_side', enabled=not is_imported()) }}
with policy as (

    select * from {{ ref('wall_policy') }}

),

conversations as (

    select
        facts.input_row,
        case
            when policy.privacy_unit = 'organization' then coalesce(facts.organization_key, '')
            else coalesce(facts.account_key, '')
        end as person
    from {{ ref('fct_conversations') }} as facts
    cross join policy
    where facts.outcome = 'classified'

),

shown as (

    select
        facet,
        option_id
    from {{ ref('wall_multi_label') }}
    where is_safe

),

everyone as (

    select
        person,
        count(*) as n
    from conversations
    group by person

),

chosen as (

    select
        labels.facet,
        labels.option_id,
        conversations.person,
        count(distinct conversations.input_row) as n
    from conversations
    inner join {{ ref('fct_conversation_labels') }} as labels
        on conversations.input_row = labels.input_row
    inner join shown
        on
            labels.facet = shown.facet
            and labels.option_id = shown.option_id
    group by 1, 2, 3

),

complement as (

    select
        shown.facet,
        shown.option_id,
        everyone.person,
        everyone.n - coalesce(chosen.n, 0) as n
    from shown
    cross join everyone
    left join chosen
        on
            shown.facet = chosen.facet
            and shown.option_id = chosen.option_id
            and everyone.person = chosen.person
    where everyone.n > coalesce(chosen.n, 0)

),

ranked as (

    select
        facet,
        option_id,
        person,
        n,
        row_number() over (partition by facet, option_id order by n desc, person asc) as place
    from complement

),

-- An option that everybody chose has an empty complement: zero is shown, which is not safe either.
blocks as (

    select
        shown.facet,
        shown.option_id,
        coalesce(sum(ranked.n), 0) as n,
        count(ranked.person) as n_accounts,
        coalesce(sum(case when ranked.place = 1 then ranked.n end), 0) as n_largest,
        coalesce(sum(case when ranked.place in (1, 2) then ranked.n end), 0) as n_two_largest
    from shown
    left join ranked
        on
            shown.facet = ranked.facet
            and shown.option_id = ranked.option_id
    group by 1, 2

)

select * from ({{ rows_not_a_safe_block('blocks', 'policy') }}) as unsafe
