with

statements as (

    select * from {{ ref('task_statements') }}
    where placement = 'placed'

),

task_ids as (

    -- The lowest official id among the rows that share a text stands for the task, so it survives a new holder.
    select
        task_key,
        min(onet_task_id) as task_id,
        cast(count(distinct onet_soc_code) as integer) as n_holders
    from statements
    group by task_key

),

pairs as (

    -- An occupation may list one text under two ids; it still holds the task once.
    select
        task_key,
        onet_soc_code,
        min(onet_task_id) as onet_task_id
    from statements
    group by task_key, onet_soc_code

),

final as (

    select
        task_ids.task_id,
        pairs.onet_soc_code,
        pairs.onet_task_id,
        substring(pairs.onet_soc_code, 1, 2) as soc_major_code,
        task_ids.n_holders
    from pairs
    inner join task_ids
        on pairs.task_key = task_ids.task_key

)

select * from final
