with

source as (

    select * from {{ ref('onet_task_statements') }}

),

normalised as (

    select
        onet_soc_code,
        task_id as onet_task_id,
        {{ normalised_text('task') }} as task,
        task_type,
        incumbents_responding,
        task_date,
        domain_source
    from source

),

final as (

    select
        onet_soc_code,
        onet_task_id,
        task,
        md5(lower(task)) as task_key,
        task_type,
        incumbents_responding,
        task_date,
        domain_source
    from normalised

)

select * from final
