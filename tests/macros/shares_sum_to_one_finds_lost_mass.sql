-- The test must find groups whose shares lose or double mass by more than 1e-9, or hold a NaN.
with fixture as (

    select * from (
        values
        ('thirds', 1, cast(1 as double) / 3, true, false),
        ('thirds', 2, cast(1 as double) / 3, true, false),
        ('thirds', 3, cast(1 as double) / 3, true, false),
        ('one share is withheld in a group without any', 1, cast(null as double), true, false),
        ('a roll-up beside its parts', 1, cast(1 as double), true, false),
        ('a roll-up beside its parts', 2, cast(1 as double), false, false),
        ('a little lost', 1, cast(0.5 as double), true, true),
        ('a little lost', 2, cast(0.49999999 as double), true, true),
        ('counted twice', 1, cast(0.6 as double), true, true),
        ('counted twice', 2, cast(0.6 as double), true, true),
        ('a part is withheld', 1, cast(0.6 as double), true, true),
        ('a part is withheld', 2, cast(null as double), true, true),
        ('not a number', 1, cast('nan' as double), true, true),
        ('not a number', 2, cast(1 as double), true, true)
    ) as listed (row_name, part, share_of_all, is_part, is_bad)

),

flagged as (

    {{ groups_not_summing_to_one('fixture', 'share_of_all', group_by=['row_name'], where='is_part') }}

),

wrong as (

    select distinct fixture.row_name
    from fixture
    left join flagged
        on fixture.row_name = flagged.row_name
    where fixture.is_bad <> (flagged.row_name is not null)

)

select * from wrong
