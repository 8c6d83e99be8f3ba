"""Grain: one row per level, cluster size and way of assigning: agreement of clusters with direct assignment."""


def model(dbt, session):
    """Cluster requests, give clusters tasks, compare; see economic_index.requests.reconstruction."""
    from economic_index.requests.reconstruction import reconstruction_table

    dbt.config(materialized="table")
    return reconstruction_table(
        dbt.ref("conversations_to_label"),
        dbt.ref("fct_conversations"),
        dbt.ref("tasks"),
        dbt.ref("task_occupations"),
    )
