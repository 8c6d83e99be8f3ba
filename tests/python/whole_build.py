"""Whole dbt builds against the fake Messages server, in processes that can be killed; canonical CSV of all marts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from dbt_project import copy_project
from wall_project import STUBS

from economic_index.release.files import canonical, csv_bytes

#: Models that embed every task and every conversation: minutes of CPU that say nothing about the engine.
COSTLY = ("taxonomy/task_hierarchy_built", "requests/reconstruction_scores")
PURPOSES = ("pseudonyms", "rounding", "sampling")


@dataclass
class Build:
    """A project and a warehouse of its own. ``variables``: dbt's ``--vars``; ``environment``: on top of ours."""

    project: Path
    home: Path
    variables: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def warehouse(self) -> Path:
        """Folder of the databases, the ledger and the keys."""
        return self.home / "warehouse"

    @property
    def private(self) -> Path:
        """The private database."""
        return self.warehouse / "private.duckdb"

    def start(self, *arguments: str, **changes: Any) -> subprocess.Popen[str]:
        """``dbt <arguments>`` as the head of a process group of its own; output and errors in one stream."""
        self.home.mkdir(parents=True, exist_ok=True)
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("DBT_", "ECONOMIC_INDEX_"))},
            "ECONOMIC_INDEX_WAREHOUSE": str(self.warehouse),
            "ECONOMIC_INDEX_PROJECT": str(self.project),
            "DBT_TARGET_PATH": str(self.home / "target"),
            "DBT_LOG_PATH": str(self.home / "logs"),
            "DBT_USE_COLORS": "false",
            "OMP_NUM_THREADS": "1",
            **self.environment,
        }
        command = [str(Path(sys.executable).parent / "dbt"), *arguments, "--profiles-dir", str(self.project)]
        command += ["--vars", json.dumps({**self.variables, **changes})]
        return subprocess.Popen(
            command,
            cwd=self.project,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **changes: Any) -> subprocess.CompletedProcess[str]:
        """The same, to its end."""
        process = self.start(*arguments, **changes)
        said, _ = process.communicate(timeout=3_600)
        return subprocess.CompletedProcess(process.args, process.returncode, said, "")

    def must(self, *arguments: str, **changes: Any) -> str:
        """The same, and it must be green; returns what dbt printed."""
        done = self.run(*arguments, **changes)
        assert done.returncode == 0, done.stdout[-6_000:]
        return done.stdout

    def make_keys(self) -> None:
        """Fixed keys, before anything needs one: warehouses of one test round alike."""
        folder = self.warehouse / "keys"
        folder.mkdir(parents=True, mode=0o700)
        for purpose in PURPOSES:
            path = folder / f"{purpose}.key"
            path.write_text(f"{purpose} of a test, long enough", encoding="utf-8")
            path.chmod(0o600)

    def twin(self, home: Path, project: Path | None = None, **environment: str) -> Build:
        """A copy of the warehouse as it is now, keys and all, for another run of the same thing.

        What dbt remembers of its parsing comes along: with the same variables it parses nothing again.
        """
        shutil.copytree(self.warehouse, home / "warehouse")
        if project is None:
            (home / "target").mkdir()
            shutil.copy(self.home / "target" / "partial_parse.msgpack", home / "target")
        return Build(project or self.project, home, dict(self.variables), {**self.environment, **environment})


def kill_group(process: subprocess.Popen[str]) -> bool:
    """SIGKILL for the process and everything it started; False when it had ended already."""
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    return True


def light_project(folder: Path) -> Path:
    """A copy of the project with the models of ``COSTLY`` replaced: a hierarchy by SOC code, no reconstruction."""
    project = copy_project(folder)
    for name in COSTLY:
        (project / "python_models" / f"{name}.py").unlink()
        (project / "python_models" / f"{name}.sql").write_text(STUBS[f"{name}.sql"], encoding="utf-8")
    return project


def whole_project(folder: Path) -> Path:
    """A copy of the project as it is."""
    return copy_project(folder)


def marts_of(build: Build) -> dict[str, bytes]:
    """Canonical CSV of every table in schema ``marts`` of the candidate, by name, ``release_id`` included.

    Without the usage in the manifest: what the answers cost depends on what the prompt cache held at the time.
    """
    found: dict[str, bytes] = {}
    with duckdb.connect(str(build.warehouse / "release.duckdb"), read_only=True) as link:
        names = link.execute("select table_name from duckdb_tables() where schema_name = 'marts' order by 1")
        for (name,) in names.fetchall():
            wanted = " where item not like 'usage%'" if name == "release_manifest" else ""
            table = link.execute(f'select * from marts."{name}"{wanted}').to_arrow_table()
            found[name] = csv_bytes(canonical(table, ()))
    return found


def differing(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    """Names of the tables that are not byte for byte alike, or that one side lacks."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def rows_of(build: Build, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query on the private database."""
    with duckdb.connect(str(build.private), read_only=True) as link:
        return link.execute(sql).fetchall()
