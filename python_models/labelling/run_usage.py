"""Grain: one row per stage that was ever asked for money: what the present answers cost, and what all runs spent."""


def model(dbt, session):
    """Read the usage record after the stages that write it; see economic_index.engines.usage."""
    from economic_index.engines.usage import run_usage_table
    from economic_index.paths import usage_file

    dbt.config(materialized="table")
    # Not read: they only have to be finished.
    dbt.ref("task_hierarchy")
    dbt.ref("conversation_answers")
    return run_usage_table(usage_file())
