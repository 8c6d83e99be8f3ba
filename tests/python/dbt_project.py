"""Runs dbt on the project, or on a changed copy of it, in a process and a warehouse of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]


def run_dbt(work: Path, *arguments: str, project: Path = REPO) -> subprocess.CompletedProcess[str]:
    """``dbt <arguments>`` on ``project``; everything it writes goes below ``work``. Output is plain text."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("DBT_", "ECONOMIC_INDEX_"))},
        "ECONOMIC_INDEX_WAREHOUSE": str(work / "warehouse"),
        "ECONOMIC_INDEX_PROJECT": str(project),
        "DBT_TARGET_PATH": str(work / "target"),
        "DBT_LOG_PATH": str(work / "logs"),
        "DBT_USE_COLORS": "false",
    }
    return subprocess.run(
        [str(Path(sys.executable).parent / "dbt"), *arguments, "--profiles-dir", str(project)],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def read_manifest(work: Path) -> dict[str, Any]:
    """The manifest of the last dbt command of ``run_dbt`` with the same ``work``."""
    return dict(json.loads((work / "target" / "manifest.json").read_text(encoding="utf-8")))


def copy_project(folder: Path) -> Path:
    """A copy of everything dbt reads, to be changed by a test."""
    project = folder / "project"
    unread = shutil.ignore_patterns("installed", "python", "__pycache__", "fixtures")
    for part in ("models", "python_models", "macros", "seeds", "tests"):
        shutil.copytree(REPO / part, project / part, ignore=unread)
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(REPO / name, project / name)
    return project
