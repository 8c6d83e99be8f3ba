-- The test must accept one row, and find none and two.
with fixture as (

    select * from (values ('one'), ('two'), ('two')) as listed (name)

),

none as (

    {{ rows_unless_exactly_one('fixture', "name = 'none'") }}

),

one as (

    {{ rows_unless_exactly_one('fixture', "name = 'one'") }}

),

two as (

    {{ rows_unless_exactly_one('fixture', "name = 'two'") }}

),

wrong as (

    select 'no row was accepted' as problem from none
    having count(*) = 0
    union all
    select 'one row was refused' as problem from one
    having count(*) > 0
    union all
    select 'two rows were accepted' as problem from two
    having count(*) = 0

)

select * from wrong
