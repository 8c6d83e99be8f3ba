"""Grain: one row per level, cluster size and way of assigning: agreement of other ways of counting with the direct one."""


def model(dbt, session):
    """Cluster requests, give clusters tasks, compare; compare one task with up to three a conversation."""
    from economic_index.requests.reconstruction import all_scores

    dbt.config(materialized="table")
    return all_scores(
        dbt.ref("conversations_to_label"),
        dbt.ref("fct_conversations"),
        dbt.ref("tasks"),
        dbt.ref("task_occupations"),
        dbt.ref("fct_conversation_labels"),
    )
