-- Grain: one row per threshold on the share of an occupation's tasks that are published.
with allocation as (

    select * from {{ ref('task_allocation') }}

),

usage as (

    select * from {{ ref('wall_public_tasks') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

-- Whole counts, compared crosswise, so that a threshold of 25 % holds exactly for 3 tasks of 12.
occupations as (

    select
        allocation.onet_soc_code,
        count(*) as n_tasks,
        count(usage.n_conversations) as n_tasks_published
    from allocation
    inner join usage
        on allocation.task_id = usage.task_id
    group by allocation.onet_soc_code

),

thresholds as (

    select min_percent_of_tasks
    from (
        values
        {% for percent in range(5, 101, 5) -%}
        ({{ percent }}){{ "," if not loop.last }}
        {% endfor %}
    ) as listed (min_percent_of_tasks)

),

counted as (

    select
        thresholds.min_percent_of_tasks,
        count(*) as n_occupations,
        sum(
            case when occupations.n_tasks_published * 100 >= thresholds.min_percent_of_tasks * occupations.n_tasks then 1 else 0 end
        ) as n_occupations_at_least
    from thresholds
    cross join occupations
    group by thresholds.min_percent_of_tasks

),

-- In a window that is withheld no task is known to be unused.
shown as (

    select
        run.release_id,
        run.taxonomy_release,
        counted.min_percent_of_tasks,
        counted.n_occupations,
        case when run.window_status = 'published' then counted.n_occupations_at_least end as n_occupations_at_least
    from counted
    cross join run

),

final as (

    select
        release_id,
        taxonomy_release,
        cast(min_percent_of_tasks as integer) as min_percent_of_tasks,
        case when n_occupations_at_least is not null then 'published' else 'withheld' end as status,
        cast(n_occupations_at_least as bigint) as n_occupations_at_least,
        cast(n_occupations as bigint) as n_occupations,
        {{ share_columns('share_of_occupations', 'n_occupations_at_least', 'n_occupations') }}
    from shown

)

select * from final
