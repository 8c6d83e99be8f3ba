"""What a release says, in a few lines: read from the release tables alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from economic_index.errors import UserError


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()


def read_summary(database: Path, n_top: int = 5) -> dict[str, Any]:
    """Headline numbers of the release in ``database`` (schema ``marts``).

    Returns a JSON-ready mapping: outcomes, the largest occupations and groups, augmentation and automation shares, how much is
    withheld. Every number stands in a mart.

    Raises:
        UserError: the file is missing or is not a release.
    """
    if not database.is_file():
        raise UserError(
            f"There is no release at {database}; run `make build` or `economic-index publish` first."
        )
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            return _read(connection, n_top)
    except duckdb.CatalogException as error:
        raise UserError(
            f"The file {database} is not a release: it has no schema `marts` with the release tables."
        ) from error
    except duckdb.IOException as error:
        raise UserError(
            f"The release {database} cannot be opened: another process holds it, or it is damaged."
        ) from error


def _read(connection: duckdb.DuckDBPyConnection, n_top: int) -> dict[str, Any]:
    manifest = dict(_rows(connection, "select item, value from marts.release_manifest order by position"))
    outcomes = _rows(
        connection, "select outcome, status, n_conversations from marts.outcome_totals order by position"
    )
    groups = _rows(
        connection,
        f"""select title, share_of_published_tasks, share_of_classified, ratio_of_usage_to_employment
        from marts.occupation_category_usage
        where share_of_classified is not null and soc_major_code <> 'unattributed'
        order by share_of_published_tasks desc nulls last, share_of_classified desc, soc_major_code limit {n_top}""",
    )
    occupations = _rows(
        connection,
        f"""select onet_soc_code, title, share_of_published_tasks, share_of_classified from marts.occupation_usage
        where share_of_classified is not null and onet_soc_code <> 'unattributed'
        order by share_of_published_tasks desc nulls last, share_of_classified desc, onet_soc_code limit {n_top}""",
    )
    patterns = _rows(
        connection,
        """select collaboration_pattern, share_of_all, share_of_classified_patterns from marts.collaboration_usage
        where pattern_level = 'group' order by position""",
    )
    withheld = _rows(
        connection,
        "select family, n_cells_published, n_cells_withheld, share_of_classified from marts.suppression_summary order by family",
    )
    release_id = _rows(connection, "select max(release_id) from marts.release_manifest")[0][0]
    return {
        "release_id": release_id,
        "manifest": manifest,
        "outcomes": [{"outcome": o, "status": s, "n_conversations": n} for o, s, n in outcomes],
        "top_categories": [
            {
                "title": t,
                "share_of_published_tasks": s,
                "share_of_classified": a,
                "ratio_of_usage_to_employment": r,
            }
            for t, s, a, r in groups
        ],
        "top_occupations": [
            {"onet_soc_code": c, "title": t, "share_of_published_tasks": s, "share_of_classified": a}
            for c, t, s, a in occupations
        ],
        "collaboration": [
            {"group": g, "share_of_all": a, "share_of_classified_patterns": c} for g, a, c in patterns
        ],
        "suppression": [
            {"family": f, "n_cells_published": p, "n_cells_withheld": w, "share_of_classified": s}
            for f, p, w, s in withheld
        ],
    }


def percent(share: float | None) -> str:
    """A share as text in percent with one decimal; a dash where it is withheld."""
    return "-" if share is None else f"{100 * share:.1f} %"


def _shares(row: dict[str, Any]) -> str:
    both = f"{percent(row['share_of_published_tasks']):>8}{percent(row['share_of_classified']):>9}"
    return f"  {both}  {row['title']}"


def render(summary: dict[str, Any], where: Path) -> str:
    """The summary as plain text of at most some 40 lines."""
    counts = {row["outcome"]: row["n_conversations"] for row in summary["outcomes"]}
    published = sum(n for n in counts.values() if n)
    lines = [
        f"Release {summary['release_id']}  (engine {summary['manifest']['engine']}, taxonomy "
        f"{summary['manifest']['taxonomy_release']}, policy {summary['manifest']['privacy_policy']})",
        "",
        f"Conversations: about {published:,} (rounded), of which",
    ]
    for row in summary["outcomes"]:
        shown = "withheld" if row["n_conversations"] is None else f"{row['n_conversations']:,}"
        lines.append(f"  {row['outcome']:<18}{shown:>12}")
    lines += [
        "",
        "Share of published tasks, and of all that was classified (withheld tasks counted together):",
        "",
    ]
    for row in summary["top_categories"]:
        ratio = row["ratio_of_usage_to_employment"]
        lines.append(_shares(row) + (f"  ({ratio:.1f}x its share of US employment)" if ratio else ""))
    lines.append("")
    lines += [_shares(row) for row in summary["top_occupations"]]
    lines.append("")
    for row in summary["collaboration"]:
        lines.append(
            f"{row['group'].capitalize():<13} {percent(row['share_of_all']):>8} of all conversations, "
            f"{percent(row['share_of_classified_patterns'])} of those with one of the five patterns"
        )
    lines += ["", "Cells published and withheld:"]
    for row in summary["suppression"]:
        mass = row["share_of_classified"]
        lines.append(
            f"  {row['family']:<28}{row['n_cells_published']:>8} published {row['n_cells_withheld']:>8} withheld"
            + (f"  {percent(mass)} of classified" if mass is not None else "")
        )
    lines += ["", f"Marts: {where}"]
    if summary["manifest"].get("is_sample_taxonomy") == "true":
        lines.append("The taxonomy is the small sample; see README, 'The full O*NET', for the official one.")
    if summary["manifest"].get("engine") == "local":
        lines.append(
            "Labels come from the built-in reader, which needs no key and errs more; see README, 'The real engine'."
        )
    return "\n".join(lines)
