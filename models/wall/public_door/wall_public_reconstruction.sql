-- Grain: one row per level, cluster size and way of assigning. Public door.
{#
    Agreement of two ways of counting, each counted from tasks that pass the floors. A correlation over fewer than ten
    units says more about the units than about the method: it is withheld.
#}
{{ config(enabled=not is_imported()) }}
with scores as (

    select * from {{ ref('reconstruction_scores') }}

),

final as (

    select
        level,
        mean_cluster_size,
        assignment,
        case when correlation_spearman is not null then 'published' else 'withheld' end as status,
        case when correlation_spearman is not null then n_units_direct end as n_units_direct,
        case when correlation_spearman is not null then n_units_clusters end as n_units_clusters,
        case when correlation_spearman is not null then n_units_both end as n_units_both,
        case when correlation_spearman is not null then correlation_pearson end as correlation_pearson,
        correlation_spearman,
        case when correlation_spearman is not null then correlation_kendall end as correlation_kendall,
        case when correlation_spearman is not null then mean_squared_error end as mean_squared_error
    from scores

)

select * from final
