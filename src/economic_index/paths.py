"""Where things lie. All paths are relative to the project root unless the environment says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

from economic_index.errors import UserError


def project_root() -> Path:
    """Folder that holds ``dbt_project.yml``: ``ECONOMIC_INDEX_PROJECT`` or the nearest one above the working directory.

    Raises:
        UserError: no project is found.
    """
    given = os.environ.get("ECONOMIC_INDEX_PROJECT")
    if given:
        return Path(given).resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "dbt_project.yml").is_file():
            return folder
    raise UserError(
        "No dbt_project.yml was found in this folder or above it; run the command inside the project "
        "or set ECONOMIC_INDEX_PROJECT to its folder."
    )


def warehouse() -> Path:
    """Folder of the private database, the answer ledger and the keys (``ECONOMIC_INDEX_WAREHOUSE``); made with mode 0700."""
    folder = Path(os.environ.get("ECONOMIC_INDEX_WAREHOUSE") or project_root() / "warehouse")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder.resolve()


def releases() -> Path:
    """Folder of published releases (``ECONOMIC_INDEX_RELEASES``)."""
    return Path(os.environ.get("ECONOMIC_INDEX_RELEASES") or project_root() / "releases").resolve()


def taxonomy_seeds() -> Path:
    """Folder of the taxonomy seeds in use (``ECONOMIC_INDEX_TAXONOMY``; the sample by default)."""
    given = Path(os.environ.get("ECONOMIC_INDEX_TAXONOMY") or "seeds/sample")
    return given if given.is_absolute() else project_root() / given


def private_database() -> Path:
    """The private DuckDB file: conversations, labels, facts and the wall."""
    return warehouse() / "private.duckdb"


def candidate_database() -> Path:
    """The candidate release that dbt writes; ``publish`` copies it into a fresh file."""
    return warehouse() / "release.duckdb"


def ledger_file() -> Path:
    """The answer ledger (SQLite)."""
    return warehouse() / "answers.sqlite"


def usage_file() -> Path:
    """The record of calls, tokens and cost beside the ledger (SQLite)."""
    return warehouse() / "usage.sqlite"
