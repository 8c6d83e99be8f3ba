"""Grain: one row per block and conversation of this build, only where the window was published before. Else empty."""


def model(dbt, session):
    """Look at single conversations only when there is something to compare; see economic_index.release.records."""
    from economic_index.release.records import present_records

    dbt.config(materialized="table")
    return present_records(dbt.ref("published_records"), dbt.ref("wall_leaf_records"))
