-- Grain: one row per published task and collaboration pattern or group of patterns.
with counted as (

    select
        task_id,
        collaboration_pattern,
        n_conversations,
        n_support_conversations,
        n_accounts_at_least
    from {{ ref('wall_public_task_patterns') }}

),

tasks as (

    select * from {{ ref('tasks') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

rows_of_unit as (

    {{ collaboration_rows('counted', ['task_id']) }}

),

final as (

    select
        run.release_id,
        run.taxonomy_release,
        tasks.task,
        rows_of_unit.*
    from rows_of_unit
    inner join tasks
        on rows_of_unit.task_id = tasks.task_id
    cross join run

)

select * from final
