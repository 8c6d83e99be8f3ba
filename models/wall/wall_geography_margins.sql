-- Grain: one row per country that occurs; `unit` is the country, or 'other' where it is too small to be shown.
{#
    A country is a unit of its own from 200 conversations up (a column of the policy) if it is a safe block. All others, and
    conversations without a country, are one unit 'other'. While that is unsafe it takes in the smallest country.
#}
{%- set n_passes = 4 %}
with accounts as (

    select
        coalesce(countries.country_code, 'other') as country_code,
        wall.account,
        count(*) as n
    from {{ ref('wall_conversations') }} as wall
    inner join {{ ref('wall_spine') }} as spine
        on
            wall.task_id = spine.task_id
            and wall.collaboration_pattern is not distinct from spine.collaboration_pattern
    left join {{ ref('countries') }} as countries
        on wall.country_code = countries.country_code
    where
        wall.outcome = 'classified'
        and spine.block is not null
    group by 1, 2

),

policy as (

    select * from {{ ref('wall_policy') }}

),

country_statistics as (

    {{ block_statistics('accounts', ['country_code']) }}

),

pass_0 as materialized (

    select
        country.country_code,
        country.n,
        country.country_code <> 'other'
        and country.n >= greatest(200, policy.min_conversations_country)
        and {{ is_safe_block('country', 'policy') }} as is_own
    from country_statistics as country
    cross join policy

),
{% for k in range(1, n_passes + 1) %}

other_{{ k }}_accounts as (

    select
        'other' as unit,
        accounts.account,
        sum(accounts.n) as n
    from accounts
    inner join pass_{{ k - 1 }} as pass
        on accounts.country_code = pass.country_code
    where not pass.is_own
    group by 1, 2

),

other_{{ k }} as (

    {{ block_statistics('other_' ~ k ~ '_accounts', ['unit']) }}

),

pass_{{ k }} as materialized (

    select
        pass.country_code,
        pass.n,
        pass.is_own and not (
            exists (
                select 1 from other_{{ k }} as other
                cross join policy
                where not {{ is_safe_block('other', 'policy') }}
            )
            and row_number() over (
                order by case when pass.is_own then 0 else 1 end, pass.n, pass.country_code
            ) = 1
        ) as is_own
    from pass_{{ k - 1 }} as pass

),
{% endfor %}

last_accounts as (

    select
        'other' as unit,
        accounts.account,
        sum(accounts.n) as n
    from accounts
    inner join pass_{{ n_passes }} as pass
        on accounts.country_code = pass.country_code
    where not pass.is_own
    group by 1, 2

),

last_other as (

    {{ block_statistics('last_accounts', ['unit']) }}

),

verdict as (

    select
        not exists (
            select 1 from last_other as other
            cross join policy
            where not {{ is_safe_block('other', 'policy') }}
        ) as is_safe

),

final as (

    select
        pass.country_code,
        case
            when not verdict.is_safe then null
            when pass.is_own then pass.country_code
            else 'other'
        end as unit
    from pass_{{ n_passes }} as pass
    cross join verdict

)

select * from final
