-- The test must find values below the least one, null, NaN and infinity.
with fixture as (

    select * from (
        values
        ('at the least value', cast(15 as double), false),
        ('above', cast(1000 as double), false),
        ('one below', cast(14 as double), true),
        ('a little below', cast(14.999 as double), true),
        ('null', cast(null as double), true),
        ('not a number', cast('nan' as double), true),
        ('infinite', cast('infinity' as double), true)
    ) as listed (row_name, n, is_bad)

),

flagged as (

    {{ rows_below('fixture', 'n', 15) }}

),

wrong as (

    select fixture.row_name
    from fixture
    left join flagged
        on fixture.row_name = flagged.row_name
    where fixture.is_bad <> (flagged.row_name is not null)

)

select * from wrong
