"""Grain: one row per family and unit of the earlier release that vars.previous_release names."""


def model(dbt, session):
    """Read released values of an earlier window; see economic_index.release.earlier."""
    from economic_index.release.earlier import earlier_values

    dbt.config(materialized="table")
    return earlier_values(dbt.config.meta_get("previous_release"))
