with

source as (

    select * from {{ ref('onet_tasks_to_dwas') }}

),

final as (

    select
        onet_soc_code,
        task_id as onet_task_id,
        dwa_id
    from source

)

select * from final
