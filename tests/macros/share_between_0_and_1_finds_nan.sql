-- The test must find shares outside 0 to 1, NaN and infinity; null means that there is no share.
with fixture as (

    select * from (
        values
        ('nothing', cast(0 as double), false),
        ('everything', cast(1 as double), false),
        ('no share', cast(null as double), false),
        ('percent instead of share', cast(37 as double), true),
        ('just above one', cast(1.0000001 as double), true),
        ('negative', cast(-0.01 as double), true),
        ('not a number', cast('nan' as double), true),
        ('infinite', cast('infinity' as double), true)
    ) as listed (row_name, share_of_all, is_bad)

),

flagged as (

    {{ rows_not_a_share('fixture', 'share_of_all') }}

),

wrong as (

    select fixture.row_name
    from fixture
    left join flagged
        on fixture.row_name = flagged.row_name
    where fixture.is_bad <> (flagged.row_name is not null)

)

select * from wrong
