"""Grain: one row per item that people have judged: acceptable share and agreement of readers."""


def model(dbt, session):
    """Score the stored answers of readers; see economic_index.validation.study."""
    from economic_index.paths import warehouse
    from economic_index.validation.study import RESULTS, readings_table

    dbt.config(materialized="table")
    return readings_table(warehouse() / RESULTS)
