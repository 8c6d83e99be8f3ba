-- Every geographic unit is a safe block, counted here from the conversations, and a country that is named has at least 200.
{{ config(group='private_side', enabled=not is_imported()) }}
with policy as (

    select * from {{ ref('wall_policy') }}

),

people as (

    select
        margins.unit,
        case
            when policy.privacy_unit = 'organization' then coalesce(facts.organization_key, '')
            else coalesce(facts.account_key, '')
        end as person,
        count(*) as n
    from {{ ref('fct_conversations') }} as facts
    cross join policy
    left join {{ ref('countries') }} as countries
        on facts.country_code = countries.country_code
    inner join {{ ref('wall_geography_margins') }} as margins
        on coalesce(countries.country_code, 'other') = margins.country_code
    where
        facts.outcome = 'classified'
        and margins.unit is not null
    group by 1, 2

),

ranked as (

    select
        unit,
        person,
        n,
        row_number() over (partition by unit order by n desc, person asc) as place
    from people

),

blocks as (

    select
        unit,
        sum(n) as n,
        count(distinct person) as n_accounts,
        sum(case when place = 1 then n else 0 end) as n_largest,
        sum(case when place in (1, 2) then n else 0 end) as n_two_largest
    from ranked
    group by unit

)

select unit from ({{ rows_not_a_safe_block('blocks', 'policy') }}) as unsafe

union all

select unit
from blocks
where
    unit <> 'other'
    and n < 200
