-- The test must find account counts that are no lower end of a band; the macro that makes bands must give none of them.
with fixture as (

    select * from (
        values
        ('lowest band', cast(5 as double), false),
        ('highest band', cast(1000000 as double), false),
        ('not published', cast(null as double), false),
        ('exact count', cast(37 as double), true),
        ('below the floor', cast(4 as double), true),
        ('nothing', cast(0 as double), true),
        ('not a number', cast('nan' as double), true)
    ) as listed (row_name, n_accounts_at_least, is_bad)

),

flagged as (

    {{ rows_off_the_account_bands('fixture', 'n_accounts_at_least') }}

),

counts as (

    select * from (
        values (5), (9), (10), (24), (25), (49), (50), (99), (100), (249), (250), (999), (1000), (999999), (1000000), (20000000)
    ) as listed (n)

),

banded as (

    select
        n,
        {{ account_band('n') }} as n_accounts_at_least
    from counts

),

off_the_bands as (

    {{ rows_off_the_account_bands('banded', 'n_accounts_at_least') }}

),

wrong as (

    select fixture.row_name
    from fixture
    left join flagged
        on fixture.row_name = flagged.row_name
    where fixture.is_bad <> (flagged.row_name is not null)

    union all

    select 'account_band of ' || cast(n as varchar) as row_name from off_the_bands

    union all

    select 'the band of ' || cast(n as varchar) || ' lies above it' as row_name
    from banded
    where n_accounts_at_least > n

)

select * from wrong
