-- Grain: one row per level, cluster size and way of assigning. Public door.
{#
    Agreement of two ways of counting, each counted from tasks that pass the floors. A correlation over fewer than ten
    units says more about the units than about the method: it is withheld. Where no second task was asked for (variable
    max_tasks), there is nothing to compare with the first, whatever the conversations are: not_applicable.
#}
{{ config(enabled=not is_imported()) }}
with scores as (

    select * from {{ ref('reconstruction_scores') }}

),

judged as (

    select
        *,
        case
            when assignment = 'several_tasks' and {{ var('max_tasks') | int }} = 1 then 'not_applicable'
            when
                n_units_direct + n_units_clusters - n_units_both >= 10
                and correlation_pearson is not null
                and correlation_spearman is not null
                and correlation_kendall is not null
                and mean_squared_error is not null
                then 'published'
            else 'withheld'
        end as status
    from scores

),

final as (

    select
        level,
        mean_cluster_size,
        assignment,
        status,
        case when status = 'published' then n_units_direct end as n_units_direct,
        case when status = 'published' then n_units_clusters end as n_units_clusters,
        case when status = 'published' then n_units_both end as n_units_both,
        case when status = 'published' then correlation_pearson end as correlation_pearson,
        case when status = 'published' then correlation_spearman end as correlation_spearman,
        case when status = 'published' then correlation_kendall end as correlation_kendall,
        case when status = 'published' then mean_squared_error end as mean_squared_error
    from judged

)

select * from final
