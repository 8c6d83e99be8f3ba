"""A release of synthetic facts, built once by the project's own wall, and copies of it to tamper with."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

import duckdb
from synthetic_facts import make_facts
from wall_project import Built, run_wall

from economic_index.disclosure.audit.reference import ReferenceFolders

COUNTRIES = ("US", "DE", "BR", "IN", "NA", "FR", "JP")


@lru_cache(maxsize=1)
def small_release() -> Built:
    """6,000 conversations over the sample taxonomy."""
    folder = Path(tempfile.mkdtemp(prefix="release-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    facts, labels = make_facts(6000, seed=3, sigma=2.0, countries=COUNTRIES, regions=True)
    return run_wall(folder, facts, labels, models=("other", "small", "large"))


def reference_of(built: Built) -> ReferenceFolders:
    """Public seeds of a build."""
    return ReferenceFolders(built.seeds, built.taxonomy)


def tampered(built: Built, path: Path, *statements: str) -> Path:
    """A copy of the candidate with statements run on it (schema marts is the default)."""
    shutil.copy(built.candidate, path)
    connection = duckdb.connect(str(path))
    connection.execute("use marts")
    for statement in statements:
        connection.execute(statement)
    connection.close()
    return path
