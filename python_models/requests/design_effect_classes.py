"""Grain: one row per published unit: the class of its design effect, from an account-clustered bootstrap."""


def model(dbt, session):
    """Bootstrap over accounts, published tasks only; see economic_index.requests.design_effects."""
    from economic_index.requests.design_effects import design_effect_table

    dbt.config(materialized="table")
    return design_effect_table(
        dbt.ref("fct_conversations"), dbt.ref("wall_public_tasks"), dbt.ref("task_occupations")
    )
