"""Public reference data as the auditor sees it: seed files only, read without any code of the wall."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from economic_index.errors import UserError
from economic_index.paths import project_root, taxonomy_seeds, warehouse

PUBLIC_FILES = (
    "collaboration_patterns",
    "facets",
    "facet_options",
    "skills",
    "soc_major_groups",
    "job_zones",
    "assistant_models",
    "countries",
    "regions",
    "privacy_policies",
)
TAXONOMY_FILES = ("onet_task_statements", "onet_occupations", "onet_job_zones", "taxonomy_release")


@dataclass(frozen=True)
class ReferenceFolders:
    """Where the public seeds lie: what the method fixes, the taxonomy in use, and built task hierarchies.

    Hierarchies are made of public task texts alone; where none lies beside, node names are checked by their
    shape.
    """

    registry: Path
    taxonomy: Path
    hierarchies: Path | None = None

    @classmethod
    def of_project(cls) -> ReferenceFolders:
        """The folders of the project around the working directory."""
        return cls(project_root() / "seeds" / "reference", taxonomy_seeds(), warehouse() / "taxonomy")


def load_reference(connection: duckdb.DuckDBPyConnection, folders: ReferenceFolders) -> None:
    """Create the tables ``ref_*`` in ``connection``.

    ``ref_holders`` has one row per task and occupation, with the task id made as documented in
    docs/taxonomy.md: the lowest official id among the rows of known occupations whose lower-cased,
    space-normalised text is the same.

    Raises:
        UserError: a seed file is missing.
    """
    for folder, names in ((folders.registry, PUBLIC_FILES), (folders.taxonomy, TAXONOMY_FILES)):
        for name in names:
            path = folder / f"{name}.csv"
            if not path.is_file():
                raise UserError(
                    f"The reference file {path} is missing; the audit cannot compare the release with it."
                )
            connection.execute(
                f"create or replace table ref_{name} as select * from read_csv(?, header = true, delim = "
                "',', all_varchar = true, quote = '\"', escape = '\"', nullstr = '')",
                [str(path)],
            )
    _load_hierarchies(connection, folders.hierarchies)
    connection.execute(
        r"""
        create or replace table ref_statements as
        select
            trim(regexp_replace(s.task, '[[:space:]]+', ' ', 'g')) as task,
            lower(trim(regexp_replace(s.task, '[[:space:]]+', ' ', 'g'))) as task_text,
            cast(s.task_id as bigint) as onet_task_id,
            s.onet_soc_code,
            substr(s.onet_soc_code, 1, 2) as soc_major_code
        from ref_onet_task_statements as s
        inner join (select distinct onet_soc_code from ref_onet_occupations) as o on s.onet_soc_code =
        o.onet_soc_code
        where coalesce(trim(s.task), '') <> '';

        create or replace table ref_holders as
        select task_id, onet_soc_code, soc_major_code, count(*) over (partition by task_id) as n_holders
        from (
            select distinct min(onet_task_id) over (partition by task_text) as task_id, onet_soc_code,
            soc_major_code
            from ref_statements
        ) as pairs;

        create or replace table ref_tasks as
        select
            task_id,
            count(*) as n_occupations,
            count(distinct soc_major_code) as n_groups,
            min(onet_soc_code) as onet_soc_code,
            min(soc_major_code) as soc_major_code
        from ref_holders group by task_id;

        create or replace table ref_task_texts as
        select distinct min(onet_task_id) over (partition by task_text) as task_id, task from ref_statements;
        """
    )


def _load_hierarchies(connection: duckdb.DuckDBPyConnection, folder: Path | None) -> None:
    """``ref_nodes`` (level, node_id, parent_node_id, name, task_id); a node's id is a hash of its tasks."""
    files = [str(path) for path in sorted(folder.glob("*.parquet"))] if folder and folder.is_dir() else []
    if files:
        connection.execute(
            "create or replace table ref_nodes as select distinct level, node_id, parent_node_id, name, "
            "task_id from read_parquet(?)",
            [files],
        )
    else:
        connection.execute(
            "create or replace table ref_nodes (level integer, node_id varchar, parent_node_id varchar, "
            "name varchar, task_id bigint)"
        )


def texts(connection: duckdb.DuckDBPyConnection, sql: str) -> frozenset[str]:
    """First column of a query as a set of texts, nulls left out."""
    return frozenset(str(row[0]) for row in connection.execute(sql).fetchall() if row[0] is not None)
