-- The test must find every block marked is_bad under the strict policy: one row for every clause of the rule, at its edge.
with policy as (

    select
        15 as min_conversations,
        5 as min_accounts,
        cast(0.5 as decimal(6, 4)) as max_share_of_largest_account,
        10 as min_conversations_without_two_largest,
        3 as min_accounts_without_two_largest,
        cast(0.1 as decimal(6, 4)) as min_remainder_share_of_largest

),

-- A policy row that somebody edited: the literal floors hold all the same.
edited_policy as (

    select
        1 as min_conversations,
        1 as min_accounts,
        cast(1 as decimal(6, 4)) as max_share_of_largest_account,
        0 as min_conversations_without_two_largest,
        0 as min_accounts_without_two_largest,
        cast(0 as decimal(6, 4)) as min_remainder_share_of_largest

),

no_policy as (

    select * from policy
    where min_conversations < 0

),

fixture as (

    select
        row_name,
        cast(n as double) as n,
        n_accounts,
        n_largest,
        n_two_largest,
        is_bad,
        is_bad_when_edited
    from (
        values
        ('at every edge', 15, 5, 3, 5, false, false),
        ('fourteen conversations', 14, 5, 2, 4, true, true),
        ('four accounts', 40, 4, 10, 20, true, true),
        ('largest account exactly half', 40, 9, 20, 23, false, false),
        ('largest account above half', 40, 9, 21, 24, true, false),
        ('nine left without the two largest', 19, 5, 5, 10, true, false),
        ('two accounts left without the two largest', 100, 4, 30, 60, true, true),
        ('remainder a tenth of the largest', 210, 12, 100, 200, false, false),
        ('remainder below a tenth of the largest', 209, 12, 100, 199, false, false),
        ('remainder far below a tenth', 410, 12, 200, 400, true, false),
        ('more accounts than conversations', 15, 16, 1, 2, true, true),
        ('two largest above the whole', 20, 6, 8, 21, true, true)
    ) as listed (row_name, n, n_accounts, n_largest, n_two_largest, is_bad, is_bad_when_edited)

    union all

    select
        row_name,
        cast(n as double) as n,
        n_accounts,
        n_largest,
        n_two_largest,
        true as is_bad,
        true as is_bad_when_edited
    from (
        values
        ('count is null', null, 6, 4, 6),
        ('count is not a number', 'nan', 6, 4, 6),
        ('count is infinite', 'infinity', 6, 4, 6),
        ('accounts are null', '40', null, 4, 6),
        ('largest is null', '40', 9, null, 6)
    ) as listed (row_name, n, n_accounts, n_largest, n_two_largest)

),

flagged as (

    {{ rows_not_a_safe_block('fixture', 'policy') }}

),

flagged_when_edited as (

    {{ rows_not_a_safe_block('fixture', 'edited_policy') }}

),

flagged_without_policy as (

    {{ rows_not_a_safe_block('fixture', 'no_policy') }}

),

wrong as (

    select
        fixture.row_name,
        'strict' as policy
    from fixture
    left join flagged
        on fixture.row_name = flagged.row_name
    where fixture.is_bad <> (flagged.row_name is not null)

    union all

    select
        fixture.row_name,
        'edited' as policy
    from fixture
    left join flagged_when_edited as flagged
        on fixture.row_name = flagged.row_name
    where fixture.is_bad_when_edited <> (flagged.row_name is not null)

    union all

    select
        fixture.row_name,
        'none' as policy
    from fixture
    left join flagged_without_policy as flagged
        on fixture.row_name = flagged.row_name
    where flagged.row_name is null

)

select * from wrong
