-- Grain: one row per analysis: how many conversations it rests on and from which time (the paper's Appendix E).
with run as (

    select * from {{ ref('wall_public_run') }}

),

classified as (

    select
        status,
        n_conversations,
        n_accounts_at_least
    from {{ ref('wall_public_outcomes') }}
    where outcome = 'classified'

),

published_tasks as (

    select
        cast(sum(n_conversations) as bigint) as n_conversations,
        max(n_accounts_at_least) as n_accounts_at_least
    from {{ ref('wall_public_tasks') }}

),

analyses as (

    select
        analysis,
        paper_section,
        base
    from (
        values
        ('task_usage', '3.1', 'published_tasks'),
        ('task_hierarchy_usage', 'D.1', 'published_tasks'),
        ('occupation_usage', '3.1', 'published_tasks'),
        ('depth_of_use', '3.1', 'published_tasks'),
        ('skill_usage', '3.2', 'classified'),
        ('wage_usage', '3.3', 'published_tasks'),
        ('job_zone_usage', '3.3', 'published_tasks'),
        ('collaboration_usage', '3.4', 'classified'),
        ('model_usage', '3.5', 'classified'),
        ('usage_by_unit', 'B.2', 'published_tasks'),
        ('conversation_composition', 'B.7', 'classified')
    ) as listed (analysis, paper_section, base)

),

counted as (

    select
        analyses.analysis,
        analyses.paper_section,
        analyses.base,
        case when analyses.base = 'classified' then classified.n_conversations else published_tasks.n_conversations end as n_conversations,
        case when analyses.base = 'classified' then classified.n_accounts_at_least else published_tasks.n_accounts_at_least end as n_accounts_at_least
    from analyses
    cross join classified
    cross join published_tasks

),

final as (

    select
        run.release_id,
        counted.analysis,
        counted.paper_section,
        counted.base,
        {{ status_of('counted.n_conversations') }} as status,
        counted.n_conversations,
        counted.n_conversations as n_support_conversations,
        counted.n_accounts_at_least,
        run.window_start,
        run.window_end,
        run.population,
        run.sample_n
    from counted
    cross join run

)

select * from final
