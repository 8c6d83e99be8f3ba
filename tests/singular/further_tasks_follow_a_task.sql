-- Further tasks are tasks beside the one that counts: at most two, none of them that one, and none without it.
{{ config(group='private_side', enabled=not is_imported()) }}
with labels as (

    select * from {{ ref('fct_conversation_labels') }}

),

firsts as (

    select
        input_row,
        min(option_id) as option_id,
        count(*) as n
    from labels
    where facet = 'task'
    group by input_row

),

further as (

    select
        input_row,
        option_id,
        count(*) over (partition by input_row) as n
    from labels
    where facet = 'further_task'

)

select
    coalesce(further.input_row, firsts.input_row) as input_row,
    further.option_id
from further
full outer join firsts
    on further.input_row = firsts.input_row
where
    firsts.n > 1
    or (
        further.input_row is not null
        and (further.n > 2 or coalesce(firsts.option_id, 'none') in ('none', further.option_id))
    )
