-- Grain: one row per task of the taxonomy.
with tasks as (

    select * from {{ ref('tasks') }}

),

usage as (

    select * from {{ ref('wall_public_tasks') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

classified as (

    select n_conversations
    from {{ ref('wall_public_outcomes') }}
    where outcome = 'classified'

),

published as (

    select sum(n_conversations) as n_conversations from usage

),

final as (

    select
        run.release_id,
        run.taxonomy_release,
        tasks.task_id,
        tasks.task,
        cast(tasks.n_occupations as bigint) as n_occupations,
        usage.status,
        usage.n_conversations,
        usage.n_support_conversations,
        usage.n_accounts_at_least,
        {{ share_columns('share_of_published_tasks', 'usage.n_conversations', 'published.n_conversations') }},
        {{ share_columns('share_of_classified', 'usage.n_conversations', 'classified.n_conversations') }}
    from tasks
    inner join usage
        on tasks.task_id = usage.task_id
    cross join run
    cross join published
    cross join classified

)

select * from final
