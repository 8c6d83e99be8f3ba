-- The rule of the wall (macros/privacy) and the rule of the test (macros/tests_logic) are written apart: on every
-- combination of counts around the edges both must say the same, under every policy.
with policies as (

    select * from {{ ref('privacy_policies') }}

),

numbers as (

    select unnest(range(0, 32)) as k

),

blocks as (

    select
        n.k as n,
        accounts.k as n_accounts,
        largest.k as n_largest,
        second.k + largest.k as n_two_largest
    from numbers as n
    inner join numbers as accounts
        on accounts.k between 1 and 9
    inner join numbers as largest
        on largest.k between 1 and n.k
    inner join numbers as second
        on second.k between 0 and 8
    where
        n.k >= accounts.k
        and largest.k + second.k <= n.k

),

flagged as (
    {% for name in ['strict', 'paper', 'strict_organization'] %}

    select
        flagged.*,
        '{{ name }}' as policy
    from (
        {{ rows_not_a_safe_block('blocks', "(select * from policies where policy = '" ~ name ~ "')") }}
    ) as flagged
    {{ "union all" if not loop.last }}
    {% endfor %}

),

judged as (

    select
        s.*,
        p.policy,
        {{ is_safe_block('s', 'p') }} as is_safe
    from blocks as s
    cross join policies as p

),

wrong as (

    select judged.*
    from judged
    left join flagged
        on
            judged.policy = flagged.policy
            and judged.n = flagged.n
            and judged.n_accounts = flagged.n_accounts
            and judged.n_largest = flagged.n_largest
            and judged.n_two_largest = flagged.n_two_largest
    where judged.is_safe is null or judged.is_safe = (flagged.n is not null)

)

select * from wrong
