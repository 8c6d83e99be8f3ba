-- Grain: one row per table of the public door: how many cells are published, how many withheld, where the mass is.
with families as (

    select
        'tasks' as family,
        status,
        n_conversations
    from {{ ref('wall_public_tasks') }}
    union all
    select
        'task_patterns' as family,
        status,
        n_conversations
    from {{ ref('wall_public_task_patterns') }}
    where collaboration_pattern <> 'not_attributed'
    union all
    select
        'task_models' as family,
        status,
        n_conversations
    from {{ ref('wall_public_task_models') }}
    union all
    select
        'task_thinking' as family,
        status,
        n_conversations
    from {{ ref('wall_public_task_thinking') }}
    union all
    select
        'facets' as family,
        status,
        n_conversations
    from {{ ref('wall_public_facets') }}
    union all
    select
        'composition' as family,
        status,
        n_conversations
    from {{ ref('wall_public_composition') }}
    where option_id <> 'not_attributed'
    union all
    select
        'occupation_residuals' as family,
        status,
        n_conversations
    from {{ ref('wall_public_residuals') }}
    where residual_level = 'occupation'
    union all
    select
        'soc_major_group_residuals' as family,
        status,
        n_conversations
    from {{ ref('wall_public_residuals') }}
    where residual_level = 'soc_major_group'
    union all
    select
        'global_residual' as family,
        status,
        n_conversations
    from {{ ref('wall_public_residuals') }}
    where residual_level = 'global'
    union all
    select
        'geography_categories' as family,
        status,
        n_conversations
    from {{ ref('wall_public_geographies') }}
    where soc_group <> 'not_attributed'
    union all
    select
        'geography_patterns' as family,
        status,
        n_conversations
    from {{ ref('wall_public_geography_patterns') }}
    where collaboration_pattern <> 'not_attributed'
    union all
    select
        'regions' as family,
        status,
        n_conversations
    from {{ ref('wall_public_regions') }}
    where region_code <> 'other'
    union all
    select
        'outcomes' as family,
        status,
        n_conversations
    from {{ ref('wall_public_outcomes') }}

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

-- Only the families of the spine are parts of one whole; the others overlap, and a share of them says nothing.
shared as (

    select
        counted.*,
        case
            when family in ('tasks', 'task_patterns', 'occupation_residuals', 'soc_major_group_residuals', 'global_residual')
                then n_conversations
        end as n_part
    from counted

),

final as (

    select
        run.release_id,
        shared.family,
        cast(shared.n_cells_published as bigint) as n_cells_published,
        cast(shared.n_cells_withheld as bigint) as n_cells_withheld,
        cast(shared.n_conversations as bigint) as n_conversations,
        {{ share_columns('share_of_classified', 'shared.n_part', 'classified.n_conversations') }}
    from shared
    cross join run
    cross join classified

)

select * from final
