-- Grain: one row per level, mean cluster size and way of assigning clusters to tasks (the paper's Appendix G).
with scores as (

    select * from {{ ref('wall_public_reconstruction') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

final as (

    select
        run.release_id,
        scores.level,
        scores.mean_cluster_size,
        scores.assignment,
        scores.status,
        scores.n_units_direct,
        scores.n_units_clusters,
        scores.n_units_both,
        scores.correlation_pearson,
        scores.correlation_spearman,
        scores.correlation_kendall,
        scores.mean_squared_error
    from scores
    cross join run

)

select * from final
