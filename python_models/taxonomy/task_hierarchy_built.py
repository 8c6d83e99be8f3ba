"""The task hierarchy of the paper's Appendix B.1, built once per task list and recipe and reused from the warehouse."""

from economic_index.taxonomy.build import hierarchy_table


def model(dbt, session):
    dbt.config(materialized="table")
    tasks = dbt.ref("tasks").project("task_id, task, task_key").fetchall()
    return hierarchy_table(
        tasks,
        levels=int(dbt.config.meta_get("taxonomy_levels", 3)),
        n_top=int(dbt.config.meta_get("taxonomy_n_top", 12)),
    )
