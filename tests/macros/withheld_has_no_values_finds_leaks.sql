-- The test must find every withheld or unknown row that still shows a value.
with fixture as (

    select * from (
        values
        ('published', 'published', 15, 0.5, false),
        ('withheld', 'withheld', null, null, false),
        ('not applicable', 'not_applicable', null, null, false),
        ('withheld with a count', 'withheld', 3, null, true),
        ('withheld with a zero', 'withheld', 0, null, true),
        ('withheld with a share', 'withheld', null, 0.1, true),
        ('not applicable with a count', 'not_applicable', 3, null, true),
        ('status unknown', null, null, null, true),
        ('status misspelt', 'Published', 15, 0.5, true)
    ) as listed (row_name, status, n_conversations, share_of_all, is_bad)

),

flagged as (

    {{ rows_withheld_with_values('fixture', ['n_conversations', 'share_of_all']) }}

),

wrong as (

    select fixture.row_name
    from fixture
    left join flagged
        on fixture.row_name = flagged.row_name
    where fixture.is_bad <> (flagged.row_name is not null)

)

select * from wrong
