-- Fails when the macro overlooks a lost row, or complains of equal counts.
with

three as (select * from (values (1), (2), (3)) as t (x)),

two as (select * from (values (1), (2)) as t (x)),

lost as ({{ counts_that_differ('three', 'two') }}),

equal as ({{ counts_that_differ('two', 'two') }})

select 'overlooked' as problem
where (select count(*) from lost) <> 1
union all
select 'false alarm'
where (select count(*) from equal) <> 0
