"""Grain: one row per finding. The auditor's attacks on the candidate release, as a table that dbt tests."""


def model(dbt, session):
    """Attack the marts as an outsider would; see economic_index.disclosure.audit. The refs are the order of the build."""
    from economic_index.disclosure.audit import audit_connection

    dbt.config(materialized="table")
    dbt.ref("analysis_metadata"), dbt.ref("category_collaboration_usage"), dbt.ref("collaboration_usage")
    dbt.ref("conversation_composition"), dbt.ref("depth_of_use"), dbt.ref("design_effects")
    dbt.ref("facet_usage")
    dbt.ref("geography_category_usage"), dbt.ref("geography_collaboration_usage"), dbt.ref("geography_usage")
    dbt.ref("job_zone_usage"), dbt.ref("model_usage"), dbt.ref("occupation_category_usage")
    dbt.ref("occupation_collaboration_usage"), dbt.ref("occupation_usage"), dbt.ref("outcome_totals")
    dbt.ref("reconstruction"), dbt.ref("region_usage"), dbt.ref("release_change")
    dbt.ref("release_manifest"), dbt.ref("skill_usage"), dbt.ref("suppression_summary")
    dbt.ref("task_collaboration_usage"), dbt.ref("task_hierarchy_usage"), dbt.ref("task_usage")
    dbt.ref("thinking_usage"), dbt.ref("usage_by_unit"), dbt.ref("validation_accuracy")
    dbt.ref("wage_band_usage"), dbt.ref("wage_usage")
    return audit_connection(session, dbt.config.meta_get("database"), depth=dbt.config.meta_get("depth"))
