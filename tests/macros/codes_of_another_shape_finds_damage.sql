-- Fails unless exactly the damaged codes are found.
with

codes as (
    select *
    from (values ('15-1252.00'), ('11-1011.03'), ('15-1252'), ('151252.00'), ('Nov-11.00'), ('15-12 2.00'), ('')) as t (code)
),

found as ({{ codes_of_another_shape('codes', 'code') }})

select 'wrong number found' as problem
where (select count(*) from found) <> 5
