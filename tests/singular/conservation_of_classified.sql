-- classified = sum of the blocks of the spine, to the row; what the door calls classified is the sum of their rounded
-- counts, and so are its tasks and residuals together, and each task by itself: totals alone can agree by chance. A window
-- that is withheld as a whole has no block.
{{ config(group='private_side', enabled=not is_imported()) }}
with classified as (

    select count(*) as n
    from {{ ref('fct_conversations') }}
    where outcome = 'classified'

),

blocks as (

    select
        count(*) as n_blocks,
        coalesce(sum(n), 0) as n
    from {{ ref('wall_spine_blocks') }}

),

leaves as (

    select coalesce(sum(n_rounded), 0) as n
    from {{ ref('wall_draws') }}
    where block_id like 'spine|%'

),

door_tasks as (

    select coalesce(sum(n_conversations), 0) as n
    from {{ ref('wall_public_tasks') }}

),

task_leaves as (

    select
        spine_blocks.task_id,
        sum(draws.n_rounded) as n
    from {{ ref('wall_spine_blocks') }} as spine_blocks
    inner join {{ ref('wall_draws') }} as draws
        on 'spine|' || spine_blocks.block = draws.block_id
    where spine_blocks.block_level = 'task'
    group by spine_blocks.task_id

),

tasks_apart as (

    select count(*) as n
    from {{ ref('wall_public_tasks') }} as tasks
    full outer join task_leaves
        on tasks.task_id = task_leaves.task_id
    where tasks.n_conversations is distinct from task_leaves.n

),

door_residuals as (

    select coalesce(sum(n_conversations), 0) as n
    from {{ ref('wall_public_residuals') }}

),

door_classified as (

    select coalesce(sum(n_conversations), 0) as n
    from {{ ref('wall_public_outcomes') }}
    where outcome = 'classified'

)

select
    classified.n as n_classified,
    blocks.n as n_in_blocks,
    leaves.n as n_in_leaves,
    door_classified.n as n_classified_in_door,
    door_tasks.n + door_residuals.n as n_in_tasks_and_residuals,
    tasks_apart.n as n_tasks_apart
from classified
cross join blocks
cross join leaves
cross join door_tasks
cross join tasks_apart
cross join door_residuals
cross join door_classified
where
    (blocks.n_blocks > 0 and classified.n <> blocks.n)
    or leaves.n <> door_classified.n
    or leaves.n <> door_tasks.n + door_residuals.n
    or tasks_apart.n > 0
    or leaves.n is null
