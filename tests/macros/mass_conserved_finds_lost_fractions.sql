-- The test must find tasks whose parts do not add up to the whole to the last digit.
with fixture as (

    select * from (
        values
        ('halves', 6, 12, false),
        ('halves', 6, 12, false),
        ('one of 22,029,527,520 lost', 11014763760, 22029527520, true),
        ('one of 22,029,527,520 lost', 11014763759, 22029527520, true),
        ('a holder twice', 6, 12, true),
        ('a holder twice', 6, 12, true),
        ('a holder twice', 6, 12, true),
        ('a weight is null', 12, 12, true),
        ('a weight is null', null, 12, true),
        ('two denominators', 6, 12, true),
        ('two denominators', 6, 13, true)
    ) as listed (row_name, numerator, denominator, is_bad)

),

flagged as (

    {{ groups_losing_mass('fixture', ['row_name'], 'numerator', 'denominator') }}

),

wrong as (

    select distinct fixture.row_name
    from fixture
    left join flagged
        on fixture.row_name = flagged.row_name
    where fixture.is_bad <> (flagged.row_name is not null)

)

select * from wrong
