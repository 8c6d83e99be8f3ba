-- A region that is named is a safe block of at least 100 conversations, counted here from the conversations, in a country that
-- is named.
{{ config(group='private_side', enabled=not is_imported()) }}
with policy as (

    select * from {{ ref('wall_policy') }}

),

named as (

    select
        country_code,
        region_code
    from {{ ref('wall_region_closure') }}
    where block = region_code

),

people as (

    select
        named.country_code,
        named.region_code,
        case
            when policy.privacy_unit = 'organization' then coalesce(facts.organization_key, '')
            else coalesce(facts.account_key, '')
        end as person,
        count(*) as n
    from named
    inner join {{ ref('fct_conversations') }} as facts
        on
            named.country_code = facts.country_code
            and named.region_code = facts.region_code
            and facts.outcome = 'classified'
    cross join policy
    group by 1, 2, 3

),

ranked as (

    select
        country_code,
        region_code,
        person,
        n,
        row_number() over (partition by country_code, region_code order by n desc, person asc) as place
    from people

),

blocks as (

    select
        country_code,
        region_code,
        sum(n) as n,
        count(distinct person) as n_accounts,
        sum(case when place = 1 then n else 0 end) as n_largest,
        sum(case when place in (1, 2) then n else 0 end) as n_two_largest
    from ranked
    group by 1, 2

)

select
    country_code,
    region_code
from ({{ rows_not_a_safe_block('blocks', 'policy') }}) as unsafe

union all

select
    blocks.country_code,
    blocks.region_code
from blocks
left join {{ ref('wall_geography_margins') }} as margins
    on
        blocks.country_code = margins.country_code
        and blocks.country_code = margins.unit
where
    blocks.n < 100
    or margins.unit is null
