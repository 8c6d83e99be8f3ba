"""The task hierarchy of the paper's Appendix B.1, built once per task list and recipe and reused from the warehouse."""


def model(dbt, session):
    """Build or find the hierarchy; see economic_index.taxonomy.build and economic_index.taxonomy.model."""
    from economic_index.taxonomy.model import hierarchy_table

    dbt.config(materialized="table")
    tasks = dbt.ref("tasks").project("task_id, task, task_key").fetchall()
    # Literal keys: dbt hands over only the keys that it finds as literals in this file.
    variables = {
        "taxonomy_engine": dbt.config.meta_get("taxonomy_engine"),
        "engine": dbt.config.meta_get("engine"),
        "models": dbt.config.meta_get("models"),
        "mode": dbt.config.meta_get("mode"),
        "max_cost": dbt.config.meta_get("max_cost"),
        "max_calls": dbt.config.meta_get("max_calls"),
    }
    return hierarchy_table(
        tasks,
        levels=int(dbt.config.meta_get("taxonomy_levels", 3)),
        n_top=int(dbt.config.meta_get("taxonomy_n_top", 12)),
        variables=variables,
    )
