"""Grain: one row per block and conversation of the publication that this window had before. Empty without one."""


def model(dbt, session):
    """Read what publishing kept; see economic_index.release.records."""
    from economic_index.release.records import earlier_records

    dbt.config(materialized="table")
    run = dbt.ref("wall_run")
    return earlier_records(run.to_arrow_table() if hasattr(run, "to_arrow_table") else run.arrow().read_all())
