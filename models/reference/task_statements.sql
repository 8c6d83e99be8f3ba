with

statements as (

    select * from {{ ref('stg_onet__task_statements') }}

),

occupations as (

    select * from {{ ref('stg_onet__occupations') }}

),

numbered as (

    select
        statements.*,
        occupations.onet_soc_code is not null as is_known_occupation,
        row_number() over (
            partition by statements.onet_soc_code, statements.onet_task_id
            order by statements.task_key, statements.task
        ) as copy_number
    from statements
    left join occupations
        on statements.onet_soc_code = occupations.onet_soc_code

),

final as (

    select
        onet_soc_code,
        onet_task_id,
        copy_number,
        task,
        task_key,
        task_type,
        case
            when coalesce(task, '') = '' then 'empty_text'
            when not is_known_occupation then 'unknown_occupation'
            when copy_number > 1 then 'repeated'
            else 'placed'
        end as placement
    from numbered

)

select * from final
