"""Grain: one row per input row of vars.conversations, admitted or with the reason why it is not."""


def model(dbt, session):
    """Read and validate every conversation; see economic_index.sources.reader."""
    from economic_index.sources.reader import read_conversations

    dbt.config(materialized="table")
    return read_conversations(
        dbt.config.meta_get("conversations"),
        window=(dbt.config.meta_get("window_start"), dbt.config.meta_get("window_end")),
        population=dbt.config.meta_get("population"),
        sample_n=dbt.config.meta_get("sample_n"),
    )
