"""Grain: one row per conversation, facet and chosen option. Every answer passes through the answer ledger."""


def model(dbt, session):
    """Ask the configured engine about every conversation; see economic_index.labelling."""
    from economic_index.labelling.model import answer_table

    dbt.config(materialized="table")
    names = ("engine", "strategy", "models", "mode", "max_cost", "max_calls")
    return answer_table(
        dbt.ref("conversations_to_label"),
        dbt.ref("tasks"),
        dbt.ref("task_occupations"),
        dbt.ref("task_hierarchy"),
        dbt.ref("facets"),
        dbt.ref("facet_options"),
        {name: dbt.config.meta_get(name) for name in names},
        dbt.ref("stg_onet__dwa_reference"),
        dbt.ref("stg_onet__tasks_to_dwas"),
    )
