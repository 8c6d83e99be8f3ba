"""Shares of an earlier published release, for the mart ``release_change``: released values only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from economic_index.errors import UserError
from economic_index.paths import releases

SCHEMA = pa.schema(
    [
        ("release_id", pa.string()),
        ("taxonomy_release", pa.string()),
        ("window_start", pa.string()),
        ("window_end", pa.string()),
        ("family", pa.string()),
        ("unit", pa.string()),
        ("status", pa.string()),
        ("n_conversations", pa.float64()),
        ("n_support_conversations", pa.int64()),
        ("n_accounts_at_least", pa.int64()),
        ("share_of_base", pa.float64()),
        ("share_of_base_lower", pa.float64()),
        ("share_of_base_upper", pa.float64()),
    ]
)
#: Family to (mart, key, share, rows); release_change.sql has the same list for the release in the making.
FAMILIES = {
    "task": ("task_usage", "task_id", "share_of_published_tasks", "true"),
    "occupation": (
        "occupation_usage",
        "onet_soc_code",
        "share_of_published_tasks",
        "onet_soc_code <> 'unattributed'",
    ),
    "soc_major_group": (
        "occupation_category_usage",
        "soc_major_code",
        "share_of_published_tasks",
        "soc_major_code <> 'unattributed'",
    ),
    "collaboration_pattern": (
        "collaboration_usage",
        "collaboration_pattern",
        "share_of_classified_patterns",
        "pattern_group in ('automation', 'augmentation')",
    ),
}


def earlier_folder(reference: object) -> Path | None:
    """The folder of ``vars.previous_release``: the id of a published release, or a path; None where unset.

    Raises:
        UserError: there is no published release of that name.
    """
    name = "" if reference is None else str(reference).strip()
    if name in ("", "None", "null"):
        return None
    folder = releases() / name
    folder = folder if folder.is_dir() else Path(name)
    if folder.is_symlink() or name == "latest":
        # `latest` would come to mean the release in the making as soon as that is published.
        raise UserError(
            f"vars.previous_release is {name!r}, which names another release after every publication; give "
            "the id of a release."
        )
    if not (folder / "release.duckdb").is_file():
        raise UserError(
            f"vars.previous_release is {name!r}, but {releases()} has no published release of that id; "
            "give the id of one, or null."
        )
    return folder


def earlier_id(reference: object) -> str:
    """Id of the release that ``vars.previous_release`` names, ``none`` where it is unset.

    Raises:
        UserError: as ``earlier_folder``, or its manifest cannot be read.
    """
    folder = earlier_folder(reference)
    return "none" if folder is None else str(_facts(folder)["release_id"])


def earlier_values(reference: object) -> pa.Table:
    """One row per family and unit of the earlier release, in ``SCHEMA``; no row where none is named.

    Raises:
        UserError: the folder is not a published release of exact counts.
    """
    folder = earlier_folder(reference)
    if folder is None:
        return SCHEMA.empty_table()
    facts = _facts(folder)
    import duckdb

    constants = [facts[name] for name in ("release_id", "taxonomy_release", "window_start", "window_end")]
    parts = [_select(family, *columns) for family, columns in FAMILIES.items()]
    try:
        with duckdb.connect(str(folder / "release.duckdb"), read_only=True) as connection:
            table = connection.execute(
                " union all ".join(parts), [value for _ in parts for value in constants]
            ).to_arrow_table()
    except duckdb.Error as error:
        raise UserError(
            f"The release in {folder} lacks the tables that a comparison needs ({type(error).__name__}); "
            "name a release of exact counts made with this project."
        ) from None
    return table.cast(SCHEMA)


def _select(family: str, mart: str, key: str, share: str, rows: str) -> str:
    return f"""
        select
            ? as release_id, ? as taxonomy_release, ? as window_start, ? as window_end,
            '{family}' as family, cast({key} as varchar) as unit, status,
            cast(n_conversations as double) as n_conversations, n_support_conversations, n_accounts_at_least,
            {share} as share_of_base, {share}_lower as share_of_base_lower, {share}_upper as share_of_base_upper
        from marts.{mart} where {rows}"""


def _facts(folder: Path) -> dict[str, Any]:
    """Identity of a published release, from its manifest."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        facts = manifest["release"]
        return {
            "release_id": str(manifest["release_id"]),
            **{name: str(facts[name]) for name in ("taxonomy_release", "window_start", "window_end")},
        }
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"The manifest in {folder} cannot be read, so the release cannot be compared with; check the "
            "folder with `economic-index audit --ledger`."
        ) from None
