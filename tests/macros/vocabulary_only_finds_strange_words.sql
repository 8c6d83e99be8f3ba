-- The test must find every text marked is_bad: unknown, almost known, null where null is not allowed.
with vocabulary as (

    select * from (values ('directive'), ('learning'), (null)) as listed (pattern)

),

fixture as (

    select * from (
        values
        ('known', 'directive', false),
        ('allowed beside the vocabulary', 'not_attributed', false),
        ('letter case', 'Directive', true),
        ('trailing blank', 'directive ', true),
        ('free text of a model', 'helping one particular person', true),
        ('empty', '', true),
        ('null', null, true)
    ) as listed (row_name, pattern, is_bad)

),

flagged as (

    {{ rows_outside_vocabulary('fixture', 'pattern', 'vocabulary', 'pattern', extra=['not_attributed']) }}

),

flagged_without_nulls as (

    {{ rows_outside_vocabulary('fixture', 'pattern', 'vocabulary', 'pattern', extra=['not_attributed'], allow_null=true) }}

),

wrong as (

    select fixture.row_name
    from fixture
    left join flagged
        on fixture.row_name = flagged.row_name
    where fixture.is_bad <> (flagged.row_name is not null)

    union all

    select fixture.row_name
    from fixture
    left join flagged_without_nulls as flagged
        on fixture.row_name = flagged.row_name
    where (fixture.is_bad and fixture.pattern is not null) <> (flagged.row_name is not null)

)

select * from wrong
