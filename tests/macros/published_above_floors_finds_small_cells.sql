-- The test must find published rows below 15 conversations or 5 accounts, and those whose counts are null or NaN.
with fixture as (

    select * from (
        values
        ('at the floors', 'published', cast(15 as double), cast(15 as double), cast(5 as double), false),
        ('a fraction of a safe block', 'published', cast(3.75 as double), cast(15 as double), cast(5 as double), false),
        ('withheld', 'withheld', null, null, null, false),
        ('fourteen conversations', 'published', cast(14 as double), cast(14 as double), cast(5 as double), true),
        ('four accounts', 'published', cast(15 as double), cast(15 as double), cast(4 as double), true),
        ('no support', 'published', cast(15 as double), null, cast(5 as double), true),
        ('no accounts', 'published', cast(15 as double), cast(15 as double), null, true),
        ('no count', 'published', null, cast(15 as double), cast(5 as double), true),
        ('zero', 'published', cast(0 as double), cast(15 as double), cast(5 as double), true),
        ('count is not a number', 'published', cast('nan' as double), cast(15 as double), cast(5 as double), true),
        ('support is not a number', 'published', cast(15 as double), cast('nan' as double), cast(5 as double), true),
        ('accounts are not a number', 'published', cast(15 as double), cast(15 as double), cast('nan' as double), true),
        ('status unknown', null, cast(14 as double), cast(14 as double), cast(5 as double), true)
    ) as listed (row_name, status, n_conversations, n_support_conversations, n_accounts_at_least, is_bad)

),

flagged as (

    {{ rows_published_below_floors('fixture') }}

),

wrong as (

    select fixture.row_name
    from fixture
    left join flagged
        on fixture.row_name = flagged.row_name
    where fixture.is_bad <> (flagged.row_name is not null)

)

select * from wrong
