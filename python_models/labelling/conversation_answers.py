"""Grain: one row per conversation, facet and chosen option. Every answer passes through the answer ledger."""


def model(dbt, session):
    """Ask the configured engine about every conversation; see economic_index.labelling."""
    from economic_index.labelling.model import answer_table

    dbt.config(materialized="table")
    # Literal keys: dbt hands over only the keys that it finds as literals in this file.
    variables = {
        "engine": dbt.config.meta_get("engine"),
        "strategy": dbt.config.meta_get("strategy"),
        "models": dbt.config.meta_get("models"),
        "mode": dbt.config.meta_get("mode"),
        "max_cost": dbt.config.meta_get("max_cost"),
        "max_calls": dbt.config.meta_get("max_calls"),
        "max_tasks": dbt.config.meta_get("max_tasks"),
    }
    return answer_table(
        dbt.ref("conversations_to_label"),
        dbt.ref("tasks"),
        dbt.ref("task_occupations"),
        dbt.ref("task_hierarchy"),
        dbt.ref("facets"),
        dbt.ref("facet_options"),
        variables,
        dbt.ref("stg_onet__dwa_reference"),
        dbt.ref("stg_onet__tasks_to_dwas"),
    )
