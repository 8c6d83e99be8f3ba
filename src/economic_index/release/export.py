"""Our marts in the file layouts of the published releases, so that programs written for those run on ours.

Everything comes from one release database (schema ``marts``) and from the installed taxonomy; nothing
above the wall is read. DuckDB writes the files, so the rows of the long layout never stand in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from economic_index import __version__
from economic_index.errors import UserError
from economic_index.release.export_flat import PATTERNS, PUBLISHED, flat_files
from economic_index.release.export_long import long_file
from economic_index.release.export_metadata import LICENSES, citation, data_package

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

MEMORY_LIMIT = "512MB"
LAYOUTS = ("aei-2025-02", "aei-long")
SEEDS = ("onet_occupations", "onet_task_statements", "bls_oews_national", "taxonomy_release")


@dataclass(frozen=True)
class Exported:
    """One written file."""

    name: str
    rows: int
    description: str


@dataclass
class Source:
    """A release opened for export."""

    connection: duckdb.DuckDBPyConnection
    manifest: Mapping[str, str]
    release_id: str
    seeds: Path
    reference: Path
    written: list[Exported] = field(default_factory=list)

    def number(self, sql: str) -> int:
        """The one whole number a query returns; 0 for null."""
        row = self.connection.execute(sql).fetchone()
        return int(row[0]) if row and row[0] is not None else 0


def find_database(release: Path | None) -> Path:
    """The release database: a file, a folder that holds ``release.duckdb``, or the newest published release.

    Raises:
        UserError: it is not there.
    """
    from economic_index.paths import releases

    path = release or releases() / "latest"
    database = path / "release.duckdb" if path.is_dir() else path
    if not database.is_file():
        where = f"at {path}" if release else f"in {releases()}"
        raise UserError(
            f"There is no release {where}; run `economic-index publish` or name a release with --release."
        )
    return database


@contextmanager
def open_release(database: Path, seeds: Path, reference: Path) -> Iterator[Source]:
    """Open ``database`` read-only, with the seeds of the taxonomy it was made with as views.

    Raises:
        UserError: it is not a release, or another taxonomy is installed.
    """
    import duckdb

    connection = duckdb.connect()
    try:
        connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'; set enable_progress_bar = false")
        try:
            connection.execute(f"attach '{_quoted(database)}' as candidate (read_only)")
            facts = connection.execute(
                "select item, value, release_id from candidate.marts.release_manifest"
            ).fetchall()
        except duckdb.Error as error:
            raise UserError(
                f"The file {database} is not a release of this project, or it is in use."
            ) from error
        if not facts:
            raise UserError(f"The release {database} has an empty manifest; build and publish it again.")
        connection.execute("create schema marts")
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'candidate' and schema_name = "
            "'marts'"
        ).fetchall()
        for (table,) in tables:
            connection.execute(f'create view marts."{table}" as from candidate.marts."{table}"')
        manifest = {str(item): str(value) for item, value, _ in facts}
        _attach_seeds(connection, manifest, seeds, reference)
        yield Source(connection, manifest, str(facts[0][2]), seeds, reference)
    finally:
        connection.close()


def _attach_seeds(
    connection: duckdb.DuckDBPyConnection, manifest: Mapping[str, str], seeds: Path, reference: Path
) -> None:
    paths = {name: seeds / f"{name}.csv" for name in SEEDS}
    paths["soc_major_groups"] = reference / "soc_major_groups.csv"
    for name, path in paths.items():
        if not path.is_file():
            raise UserError(
                f"The taxonomy file {path} is missing; install the taxonomy of the release again."
            )
        connection.execute(
            f"create view {name} as from read_csv('{_quoted(path)}', header = true, all_varchar = true, "
            "nullstr = '', max_line_size = 4194304)"
        )
    installed = connection.execute("select taxonomy_release from taxonomy_release").fetchone()
    if installed is None or installed[0] != manifest.get("taxonomy_release"):
        raise UserError(
            f"The release was made with taxonomy {manifest.get('taxonomy_release')}, but {seeds} holds "
            f"{installed[0] if installed else 'none'}; set ECONOMIC_INDEX_TAXONOMY to the folder it was "
            "made with."
        )


def _quoted(path: Path | str) -> str:
    return str(path).replace("'", "''")


def export_release(
    layout: str,
    database: Path,
    output: Path,
    seeds: Path,
    reference: Path,
    platform: str = "AI assistant",
    on_file: Callable[[str], None] | None = None,
) -> list[Exported]:
    """Write the release in ``database`` to the folder ``output``.

    Args:
        layout: ``aei-2025-02`` (flat files) or ``aei-long``.
        database: see ``find_database``.
        output: made if need be; files of the same names are replaced.
        seeds: folder of the taxonomy the release was made with.
        reference: folder of the project's own reference seeds.
        platform: value of ``platform_and_product`` in the long layout.
        on_file: called with the name of each file before it is written.

    Raises:
        UserError: an unknown layout, no release, nothing published, or another taxonomy.
    """
    if layout not in LAYOUTS:
        raise UserError(f"There is no layout '{layout}'; choose {' or '.join(LAYOUTS)}.")
    output.mkdir(parents=True, exist_ok=True)
    with open_release(database, seeds, reference) as source:
        if not source.number("select count(*) from marts.task_usage where status = 'published'"):
            raise UserError("The release publishes no task, so there is nothing to export.")
        files = _files(source, layout, platform)
        for name, (sql, description) in files.items():
            if on_file is not None:
                on_file(name)
            target = _quoted(output / name)
            rows = source.number(f"copy ({sql}) to '{target}' (format csv, header, delimiter ',')")
            source.written.append(Exported(name, rows, description))
        _write_metadata(source, layout, output, files)
        return source.written


def _write_metadata(source: Source, layout: str, output: Path, files: Mapping[str, tuple[str, str]]) -> None:
    columns = {
        name: source.connection.execute(f"describe {sql}").fetchall() for name, (sql, _) in files.items()
    }
    section = {
        "layout": layout,
        "release_id": source.release_id,
        "exported_by": f"economic-index {__version__}",
        "totals": _totals(source) if layout == "aei-2025-02" else {},
        "window_start": source.manifest.get("window_start", "all"),
        "window_end": source.manifest.get("window_end", "all"),
        "manifest": dict(sorted(source.manifest.items())),
    }
    package = data_package(source.release_id, source.written, columns, section)
    text = json.dumps(package, indent=2, ensure_ascii=False) + "\n"
    (output / "datapackage.json").write_text(text, encoding="utf-8")
    (output / "CITATION.cff").write_text(citation(source.release_id), encoding="utf-8")
    (output / "LICENSES.md").write_text(LICENSES, encoding="utf-8")


def _totals(source: Source) -> dict[str, int]:
    """What 100 per cent of each file of shares stands for: import-release reads it back."""
    return {
        "onet_task_mappings.csv": source.number(f"select sum(n_conversations) from ({PUBLISHED})"),
        "automation_vs_augmentation.csv": source.number(f"select sum(n_conversations) from ({PATTERNS})"),
    }


def _files(source: Source, layout: str, platform: str) -> dict[str, tuple[str, str]]:
    if layout == "aei-long":
        window = (source.manifest.get("window_start", "all"), source.manifest.get("window_end", "all"))
        return long_file(platform, *window)
    return flat_files(*_totals(source).values())


def summary(written: list[Exported], output: Path) -> dict[str, Any]:
    """What was written, ready for JSON."""
    return {"output": str(output), "files": [{"name": file.name, "rows": file.rows} for file in written]}
