with

statements as (

    select * from {{ ref('task_statements') }}
    where placement = 'placed'

),

grouped as (

    select
        task_key,
        min(onet_task_id) as task_id,
        cast(count(distinct onet_soc_code) as integer) as n_occupations,
        cast(count(distinct substring(onet_soc_code, 1, 2)) as integer) as n_soc_major_groups
    from statements
    group by task_key

),

texts as (

    -- Letter case may differ between the rows of one task: the row of the lowest id and code is shown.
    select
        task_key,
        task,
        row_number() over (partition by task_key order by onet_task_id, onet_soc_code) as position
    from statements

),

final as (

    select
        grouped.task_id,
        texts.task,
        grouped.task_key,
        grouped.n_occupations,
        grouped.n_soc_major_groups
    from grouped
    inner join texts
        on grouped.task_key = texts.task_key
    where texts.position = 1

)

select * from final
