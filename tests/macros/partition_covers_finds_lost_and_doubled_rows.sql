-- The test must find blocks that lose a conversation, count one twice, or have an unknown count.
with conversations as (

    select * from (values ('a'), ('a'), ('b')) as listed (outcome)

),

blocks as (

    select * from (
        values
        ('exact', 2), ('exact', 0),
        ('lost', 1),
        ('doubled', 2), ('doubled', 1)
    ) as listed (case_name, n)

),

exact as (

    {{ difference_to_partition('blocks', 'n', 'conversations', "case_name = 'exact'", "outcome = 'a'") }}

),

lost as (

    {{ difference_to_partition('blocks', 'n', 'conversations', "case_name = 'lost'", "outcome = 'a'") }}

),

doubled as (

    {{ difference_to_partition('blocks', 'n', 'conversations', "case_name = 'doubled'", "outcome = 'a'") }}

),

nothing_of_nothing as (

    {{ difference_to_partition('blocks', 'n', 'conversations', "case_name = 'none'", "outcome = 'c'") }}

),

nothing_of_something as (

    {{ difference_to_partition('blocks', 'n', 'conversations', "case_name = 'none'", "outcome = 'b'") }}

),

not_a_number as (

    {{ difference_to_partition('blocks', "cast('nan' as double)", 'conversations', "case_name = 'exact'", "outcome = 'a'") }}

),

lost_but_nothing_is_allowed as (

    {{ difference_to_partition('blocks', 'n', 'conversations', "case_name = 'lost'", "outcome = 'a'", or_nothing=true) }}

),

nothing_and_nothing_is_allowed as (

    {{ difference_to_partition('blocks', 'n', 'conversations', "case_name = 'none'", "outcome = 'b'", or_nothing=true) }}

),

wrong as (

    select 'an exact partition was refused' as problem from exact
    having count(*) > 0
    union all
    select 'a lost conversation was not found' as problem from lost
    having count(*) = 0
    union all
    select 'a doubled conversation was not found' as problem from doubled
    having count(*) = 0
    union all
    select 'nothing of nothing was refused' as problem from nothing_of_nothing
    having count(*) > 0
    union all
    select 'missing blocks were not found' as problem from nothing_of_something
    having count(*) = 0
    union all
    select 'a sum that is no number was not found' as problem from not_a_number
    having count(*) = 0
    union all
    select 'a lost conversation was not found' as problem from lost_but_nothing_is_allowed
    having count(*) = 0
    union all
    select 'a withheld window was refused' as problem from nothing_and_nothing_is_allowed
    having count(*) > 0

)

select * from wrong
