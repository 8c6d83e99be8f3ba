-- What the door publishes of tasks is shared out without losing or inventing a single unit: over occupations and over SOC
-- major groups the numerators add up to count times denominator, in whole numbers.
with usage as (

    select * from {{ ref('wall_public_tasks') }}
    where status = 'published'

),

allocation as (

    select * from {{ ref('task_allocation') }}

),

totals as (

    select
        coalesce(sum(cast(usage.n_conversations as {{ type_exact_integer() }}) * denominators.denominator), 0) as numerator
    from usage
    cross join (select max(weight_denominator) as denominator from allocation) as denominators

),

by_occupation as (

    select
        allocation.onet_soc_code,
        allocation.soc_major_code,
        sum(cast(usage.n_conversations as {{ type_exact_integer() }}) * allocation.weight_numerator) as numerator
    from usage
    inner join allocation
        on usage.task_id = allocation.task_id
    group by 1, 2

),

by_category as (

    select
        soc_major_code,
        sum(numerator) as numerator
    from by_occupation
    group by soc_major_code

),

sums as (

    select
        'occupations' as level_name,
        coalesce(sum(numerator), 0) as numerator
    from by_occupation

    union all

    select
        'soc_major_groups' as level_name,
        coalesce(sum(numerator), 0) as numerator
    from by_category

)

select
    sums.level_name,
    sums.numerator,
    totals.numerator as numerator_of_published_tasks
from sums
cross join totals
where
    sums.numerator <> totals.numerator
    or sums.numerator is null
    or totals.numerator is null
