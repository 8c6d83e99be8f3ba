"""A release as an outsider has it: tables read from a DuckDB file, a release folder or an open connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from economic_index.errors import UserError

SCHEMA = "marts"
_INSPECT = """
    select 'view' as kind, schema_name || '.' || view_name as name from duckdb_views()
    where database_name = ? and not internal
    union all
    select 'table outside schema marts', schema_name || '.' || table_name from duckdb_tables()
    where database_name = ? and not internal and schema_name <> 'marts'
    union all
    select 'macro', schema_name || '.' || function_name from duckdb_functions()
    where database_name = ? and not internal and function_type in ('macro', 'table_macro')
    union all
    select 'sequence', schema_name || '.' || sequence_name from duckdb_sequences() where database_name = ?
    union all
    select 'user type', schema_name || '.' || type_name from duckdb_types()
    where database_name = ? and not internal
    union all
    select 'index', schema_name || '.' || index_name from duckdb_indexes() where database_name = ?
    order by 1, 2
"""


@dataclass
class Release:
    """Tables of a release by name, and what else the file holds that it must not.

    Attributes:
        tables: Arrow tables of schema ``marts``.
        strangers: (kind, name) of views, macros, other schemas' tables and so on.
        folder: the release folder, if there is one, for the byte scan.
        database: the DuckDB file, if there is one.
    """

    tables: dict[str, pa.Table]
    strangers: list[tuple[str, str]] = field(default_factory=list)
    folder: Path | None = None
    database: Path | None = None

    def manifest(self) -> dict[str, str]:
        """The items of ``release_manifest``; empty when the table is missing or has another form."""
        table = self.tables.get("release_manifest")
        if table is None or not {"item", "value"} <= set(table.column_names):
            return {}
        pairs = zip(table["item"].to_pylist(), table["value"].to_pylist(), strict=True)
        return {str(item): str(value) for item, value in pairs if item is not None}


def read_connection(connection: duckdb.DuckDBPyConnection, database: str) -> Release:
    """Read the schema ``marts`` of an attached database."""
    names = connection.execute(
        "select table_name from duckdb_tables() where database_name = ? and schema_name = ? order by 1",
        [database, SCHEMA],
    ).fetchall()
    tables = {
        name: connection.execute(f'select * from "{database}"."{SCHEMA}"."{name}"').to_arrow_table()
        for (name,) in names
    }
    strangers = [(str(k), str(n)) for k, n in connection.execute(_INSPECT, [database] * 6).fetchall()]
    return Release(tables, strangers)


def read_release(path: Path) -> Release:
    """Read a release folder or a DuckDB file, never writing to it.

    Raises:
        UserError: there is no readable release at ``path``.
    """
    database = path / "release.duckdb" if path.is_dir() else path
    if not database.is_file():
        raise UserError(
            f"There is no release database at {database}; run dbt build or name a release folder."
        )
    connection = duckdb.connect(config={"threads": 2})
    try:
        connection.execute(f"attach {_quoted(str(database))} as audited (read_only)")
        release = read_connection(connection, "audited")
    except duckdb.Error as error:
        raise UserError(
            f"The release database {database} cannot be read ({type(error).__name__})."
        ) from error
    finally:
        connection.close()
    release.database = database
    release.folder = path if path.is_dir() else None
    return release


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
