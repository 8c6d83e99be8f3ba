"""Grain: one row. The identity of the release; the key stays in Python."""


def model(dbt, session):
    """Name the release after what it was made of; see economic_index.release.identity."""
    from economic_index.engines.factory import engine_identity
    from economic_index.release.identity import run_table

    dbt.config(materialized="table")
    run = {
        "engine": dbt.config.meta_get("engine"),
        "strategy": dbt.config.meta_get("strategy"),
        "models": dbt.config.meta_get("models"),
        "max_tasks": dbt.config.meta_get("max_tasks"),
        "taxonomy_engine": dbt.config.meta_get("taxonomy_engine"),
        "previous_release": dbt.config.meta_get("previous_release"),
        "window": {
            "start": dbt.config.meta_get("window_start"),
            "end": dbt.config.meta_get("window_end"),
        },
        "population": dbt.config.meta_get("population"),
        "sample_n": dbt.config.meta_get("sample_n"),
    }
    inputs = dbt.ref("wall_run_inputs")
    return run_table(inputs.to_arrow_table(), run, engine_identity(run))
