"""The wall and the marts as dbt compiled them, run again on other facts without dbt: the same SQL in two seconds, not twenty."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from wall_project import FACT_SCHEMA, LABEL_SCHEMA, Built

FACTS = {"fct_conversations", "fct_conversation_labels"}


class CompiledWall:
    """A build of ``wall_project`` that can be repeated on changed facts.

    Args:
        built: the first build; its folder holds dbt's manifest and the Parquet files that the stubs read.
    """

    def __init__(self, built: Built) -> None:
        self.built = built
        self.folder = built.private.parent.parent
        nodes = json.loads((self.folder / "target" / "manifest.json").read_text(encoding="utf-8"))["nodes"]
        models = {uid: node for uid, node in nodes.items() if node["resource_type"] == "model"}
        below = {uid for uid, node in models.items() if node["name"] in FACTS}
        self.order: list[dict[str, Any]] = []
        done: set[str] = set()
        while True:
            ready = [
                uid
                for uid, node in sorted(models.items())
                if uid not in done and all(p in done or p not in models for p in node["depends_on"]["nodes"])
            ]
            if not ready:
                break
            for uid in ready:
                done.add(uid)
                if uid in below or below & set(models[uid]["depends_on"]["nodes"]):
                    below.add(uid)
                    self.order.append(models[uid])
        assert len(done) == len(models) and len(self.order) > 40

    def run(self, facts: pa.Table, labels: pa.Table, folder: Path) -> Built:
        """Everything below the facts, once more; the databases of the first build are copied, not touched."""
        pq.write_table(facts.cast(FACT_SCHEMA), self.folder / "facts.parquet")
        pq.write_table(labels.cast(LABEL_SCHEMA), self.folder / "labels.parquet")
        folder.mkdir(parents=True)
        for path in (self.built.private, self.built.candidate):
            shutil.copy(path, folder / path.name)
        with duckdb.connect(str(folder / "private.duckdb"), config={"threads": 2}) as connection:
            connection.execute(f"attach '{folder / 'release.duckdb'}' as release")
            connection.execute("set timezone = 'UTC'; set preserve_insertion_order = false")
            for node in self.order:
                if node["language"] == "python":
                    rows = _python_rows(
                        self.folder / "project" / node["original_file_path"], node, connection
                    )
                    connection.register("rows_of_model", rows)
                    connection.execute(
                        f"create or replace table {node['relation_name']} as select * from rows_of_model"
                    )
                    connection.unregister("rows_of_model")
                    continue
                kind = "view" if node["config"]["materialized"] == "view" else "table"
                connection.execute(
                    f"create or replace {kind} {node['relation_name']} as {node['compiled_code']}"
                )
        return Built(
            folder / "private.duckdb", folder / "release.duckdb", self.built.seeds, self.built.taxonomy
        )


class _Dbt:
    """What a Python model of ours asks of dbt: relations, its own settings."""

    def __init__(self, node: dict[str, Any], connection: duckdb.DuckDBPyConnection) -> None:
        self._names = {uid.rsplit(".", 1)[1] for uid in node["depends_on"]["nodes"]}
        self._connection, self._meta = connection, node["config"].get("meta", {})
        self.config = self

    def ref(self, name: str) -> duckdb.DuckDBPyRelation:
        """A relation, by the schema it stands in."""
        assert name in self._names
        row = self._connection.execute(
            "select schema_name from duckdb_tables() where table_name = ? union all "
            "select schema_name from duckdb_views() where view_name = ? and not internal",
            [name, name],
        ).fetchone()
        assert row is not None, name
        return self._connection.sql(f'select * from "{row[0]}"."{name}"')

    def __call__(self, **settings: Any) -> None:
        """``dbt.config(...)``."""

    def meta_get(self, name: str) -> Any:
        """``dbt.config.meta_get``."""
        return self._meta.get(name)


def _python_rows(path: Path, node: dict[str, Any], connection: duckdb.DuckDBPyConnection) -> pa.Table:
    namespace: dict[str, Any] = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
    rows = namespace["model"](_Dbt(node, connection), connection)
    return rows if isinstance(rows, pa.Table) else rows.to_arrow_table()
