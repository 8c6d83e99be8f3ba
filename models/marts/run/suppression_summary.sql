-- Grain: one row per table of the public door: how many cells are published, how many withheld, where the mass is.
with families as (

    select 'tasks' as family, status, n_conversations from {{ ref('wall_public_tasks') }}
    union all
    select 'task_patterns' as family, status, n_conversations from {{ ref('wall_public_task_patterns') }} where collaboration_pattern <> 'not_attributed'
    union all
    select 'task_models' as family, status, n_conversations from {{ ref('wall_public_task_models') }}
    union all
    select 'task_thinking' as family, status, n_conversations from {{ ref('wall_public_task_thinking') }}
    union all
    select 'facets' as family, status, n_conversations from {{ ref('wall_public_facets') }}
    union all
    select 'composition' as family, status, n_conversations from {{ ref('wall_public_composition') }} where option_id <> 'not_attributed'
    union all
    select 'occupation_residuals' as family, status, n_conversations from {{ ref('wall_public_residuals') }} where residual_level = 'occupation'
    union all
    select 'soc_major_group_residuals' as family, status, n_conversations from {{ ref('wall_public_residuals') }} where residual_level = 'soc_major_group'
    union all
    select 'global_residual' as family, status, n_conversations from {{ ref('wall_public_residuals') }} where residual_level = 'global'
    union all
    select 'outcomes' as family, status, n_conversations from {{ ref('wall_public_outcomes') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

classified as (

    select n_conversations
    from {{ ref('wall_public_outcomes') }}
    where outcome = 'classified'

),

counted as (

    select
        family,
        sum(case when status = 'published' then 1 else 0 end) as n_cells_published,
        sum(case when status <> 'published' then 1 else 0 end) as n_cells_withheld,
        sum(n_conversations) as n_conversations
    from families
    group by family

),

final as (

    select
        run.release_id,
        counted.family,
        cast(counted.n_cells_published as bigint) as n_cells_published,
        cast(counted.n_cells_withheld as bigint) as n_cells_withheld,
        cast(counted.n_conversations as bigint) as n_conversations,
        case
            when counted.family in ('tasks', 'task_patterns', 'occupation_residuals', 'soc_major_group_residuals', 'global_residual')
                then {{ share('counted.n_conversations', 'classified.n_conversations') }}
        end as share_of_classified
    from counted
    cross join run
    cross join classified

)

select * from final
