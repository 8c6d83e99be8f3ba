"""Grain: one row per block. Keyed unbiased rounding; the key stays in Python and never enters SQL."""


def model(dbt, session):
    """Round every wanted count; see economic_index.disclosure.rounding."""
    from economic_index.disclosure.rounding import round_blocks

    dbt.config(materialized="table")
    wanted = dbt.ref("wall_draws_wanted")
    return round_blocks(wanted.to_arrow_table() if hasattr(wanted, "to_arrow_table") else wanted.arrow().read_all())
