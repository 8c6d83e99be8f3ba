-- The test of keys must find every key marked is_bad and no other: repeated keys, and null where no null is allowed.
with fixture as (

    select * from (
        values
        ('once', 1, 'a', false),
        ('twice', 2, 'a', true),
        ('twice', 2, 'a', true),
        ('same id, other part', 2, 'b', false),
        ('null in the nullable part', 3, null, false),
        ('null twice in the nullable part', 4, null, true),
        ('null twice in the nullable part', 4, null, true),
        ('null in the part that has to be there', null, 'a', true)
    ) as listed (row_name, id, part, is_bad)

),

flagged as (

    {{ rows_of_broken_key('fixture', ['id', 'part'], nullable=['part']) }}

),

strict as (

    {{ rows_of_broken_key('fixture', ['id', 'part']) }}

),

wrong as (

    select fixture.row_name
    from fixture
    left join flagged
        on
            fixture.id is not distinct from flagged.id
            and fixture.part is not distinct from flagged.part
    where fixture.is_bad <> (flagged.n_rows is not null)

    union all

    -- Without `nullable` the row of id 3 is wrong too: four broken keys in all.
    select 'number of keys broken when no part may be null' as row_name
    from strict
    having count(*) <> 4

)

select * from wrong
