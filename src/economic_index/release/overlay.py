"""The dbt project seen through a temporary folder: the same models on another warehouse and another
taxonomy.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from economic_index.errors import UserError
from economic_index.paths import project_root

LINKED = ("models", "python_models", "macros", "tests", "dbt_project.yml", "profiles.yml")
LINKED_SEEDS = ("reference", "sample")


@dataclass(frozen=True)
class Overlay:
    """A project of links in ``folder`` with a warehouse, a target and seeds of its own.

    dbt writes the SQL that it runs under the target folder joined with a file's path. Seeds must therefore
    lie inside the project: given by an absolute path, they would be overwritten by it.
    """

    folder: Path

    @property
    def warehouse(self) -> Path:
        """Folder of the two databases."""
        return self.folder / "warehouse"

    @property
    def candidate(self) -> Path:
        """The release database that dbt writes."""
        return self.warehouse / "release.duckdb"

    @property
    def seeds(self) -> Path:
        """Folder for the taxonomy seeds of the imported release."""
        return self.folder / "seeds" / "imported"

    @property
    def imported(self) -> Path:
        """Folder for the counts of the imported release."""
        return self.folder / "imported"

    def environment(self) -> dict[str, str]:
        """Variables that make dbt read the imported release and write here."""
        return {
            **os.environ,
            "ECONOMIC_INDEX_PROJECT": str(self.folder),
            "ECONOMIC_INDEX_WAREHOUSE": str(self.warehouse),
            "ECONOMIC_INDEX_TAXONOMY": "seeds/imported",
            "ECONOMIC_INDEX_IMPORTED_RELEASE": str(self.imported),
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
        }

    def start(self, arguments: Sequence[str]) -> subprocess.Popen[str]:
        """Start dbt with ``arguments`` in this project; the caller waits with ``finish``."""
        dbt = Path(sys.executable).parent / "dbt"
        command = [
            str(dbt) if dbt.is_file() else "dbt",
            *arguments,
            "--quiet",
            "--project-dir",
            str(self.folder),
        ]
        return subprocess.Popen(
            [*command, "--profiles-dir", str(self.folder)],
            env=self.environment(),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def make_overlay(folder: Path) -> Overlay:
    """Lay the project's folders into ``folder`` as links; it is made if need be."""
    root = project_root()
    (folder / "seeds").mkdir(parents=True, exist_ok=True)
    (folder / "warehouse").mkdir(exist_ok=True, mode=0o700)
    for name in LINKED:
        _link(folder / name, root / name)
    for name in LINKED_SEEDS:
        _link(folder / "seeds" / name, root / "seeds" / name)
    return Overlay(folder.resolve())


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(target.resolve())


def finish(process: subprocess.Popen[str], what: str, overlay: Overlay, tables: Sequence[str] = ()) -> str:
    """Wait for dbt and return what it printed.

    Args:
        process: from ``Overlay.start``.
        what: what was built, for the error.
        overlay: where it was built.
        tables: of schema ``marts``; if they are there, a failing test is the caller's to report.

    Raises:
        UserError: dbt failed.
    """
    printed, _ = process.communicate()
    if process.returncode and not (tables and _has_tables(overlay.candidate, tables)):
        last = " | ".join(line.strip() for line in printed.splitlines() if line.strip())[-1500:]
        raise UserError(f"dbt could not build {what}; it says: {last}")
    return printed


def _has_tables(database: Path, tables: Sequence[str]) -> bool:
    import duckdb

    if not database.is_file():
        return False
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts'"
        ).fetchall()
    return {name for (name,) in found} >= set(tables)
