-- The test must find counts that were not rounded, fractions and NaN; null says that nothing is published.
with fixture as (

    select * from (
        values
        ('rounded', cast(15 as double), false),
        ('nothing', cast(0 as double), false),
        ('not published', cast(null as double), false),
        ('exact count', cast(17 as double), true),
        ('a fraction', cast(20.5 as double), true),
        ('not a number', cast('nan' as double), true)
    ) as listed (row_name, n_conversations, is_bad)

),

flagged as (

    {{ rows_not_a_multiple('fixture', 'n_conversations', 5) }}

),

wrong as (

    select fixture.row_name
    from fixture
    left join flagged
        on fixture.row_name = flagged.row_name
    where fixture.is_bad <> (flagged.row_name is not null)

)

select * from wrong
