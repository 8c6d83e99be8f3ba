"""The paper's numbers, recomputed by the project's own marts from the releases that belong to them."""

from __future__ import annotations

import csv
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from economic_index.errors import UserError
from economic_index.paths import project_root
from economic_index.release.flat_taxonomy import TaxonomyOptions
from economic_index.release.import_release import Options, import_release
from economic_index.release.overlay import Overlay, finish, make_overlay

FIRST = Path("aei") / "release_2025_02_10"
SECOND = Path("aei") / "release_2025_03_27"
ZONES = Path("onet") / "29.1" / "Job Zones.txt"
CROSSWALK = Path("onet") / "crosswalk_2010_to_2019.csv"
MARTS = ("reproduction", "task_usage", "outcome_totals")
NUMBERS = Path("seeds") / "reference" / "published_numbers.csv"


@dataclass(frozen=True)
class Number:
    """One published number beside ours; a row of the mart ``reproduction`` or the change between two of
    them.
    """

    edition: str
    number_id: str
    position: int
    paper_section: str
    label: str
    unit: str
    published_value: float | None
    reference_value: float | None
    value: float | None
    outcome: str
    recipe: str
    reason: str | None

    @property
    def difference(self) -> float | None:
        """Ours minus the published number, or minus the recomputed one where nothing is printed."""
        base = self.published_value if self.published_value is not None else self.reference_value
        return None if self.value is None or base is None else self.value - base

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**asdict(self), "difference": self.difference}


@dataclass(frozen=True)
class Reproduction:
    """All numbers, with the time it took and remarks on the releases."""

    numbers: Sequence[Number]
    seconds: float
    notes: Sequence[str]

    def counts(self) -> dict[str, int]:
        """How many numbers are reproduced, differ, or cannot be recomputed."""
        outcomes = [number.outcome for number in self.numbers]
        return {name: outcomes.count(name) for name in ("reproduced", "differs", "not_reproducible")}


def find_data(given: Path | None) -> Path:
    """Folder with the published releases: as given, ``ECONOMIC_INDEX_DATA``, or ``../shared/data`` beside
    the project.

    Raises:
        UserError: it does not hold them.
    """
    named = os.environ.get("ECONOMIC_INDEX_DATA")
    folder = given or (Path(named) if named else project_root().parent / "shared" / "data")
    for part in (FIRST, SECOND):
        if not (folder / part).is_dir():
            raise UserError(
                f"The folder {folder} does not hold {part}; give the folder with the published releases "
                "with --data."
            )
    return folder.resolve()


def reproduce(data: Path) -> Reproduction:
    """Import both releases, build the marts from each in a temporary warehouse, and read the comparison.

    Raises:
        UserError: a release cannot be read or dbt fails.
    """
    started = time.monotonic()
    zones = data / ZONES if (data / ZONES).is_file() and (data / CROSSWALK).is_file() else None
    crosswalk = data / CROSSWALK if zones else None
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="economic-index-") as scratch:
        overlays = [make_overlay(Path(scratch) / edition) for edition in ("v1", "v2")]
        jobs = (
            (data / FIRST, Options(taxonomy=TaxonomyOptions(zones=zones, crosswalk=crosswalk))),
            (data / SECOND, Options(edition="v2", taxonomy=TaxonomyOptions(data / FIRST, zones, crosswalk))),
        )
        running = []
        for overlay, (source, options) in zip(overlays, jobs, strict=True):
            report = import_release(source, overlay.imported, overlay.seeds, options)
            notes += [f"{source.name}: {note}" for note in report.notes]
            running.append((overlay, source.name, _build(overlay)))
        for overlay, name, process in running:
            finish(process, f"the marts of {name}", overlay, tables=MARTS)
        notes += _same_first_edition(data)
        first, second = (_read(overlay) for overlay in overlays)
        changes = _changes(first, second, *overlays)
    numbers = sorted([*first, *second, *changes], key=lambda number: number.position)
    return Reproduction(numbers, time.monotonic() - started, notes)


def _build(overlay: Overlay) -> Any:
    # Of the tests only the one that holds the numbers: the others are the business of dbt build.
    wanted = [f"+{mart},resource_type:{kind}" for mart in MARTS for kind in ("model", "seed")]
    return overlay.start(
        ["build", "--select", *wanted, "reproduction_holds", "--indirect-selection", "empty"]
    )


def _same_first_edition(data: Path) -> list[str]:
    first, again = data / FIRST / "onet_task_mappings.csv", data / SECOND / "task_pct_v1.csv"
    if not again.is_file():
        return [f"{SECOND.name}: task_pct_v1.csv is not there; v1 is that of {FIRST.name}."]
    if first.read_bytes() != again.read_bytes():
        return [
            f"{SECOND.name}: task_pct_v1.csv differs from {FIRST.name}; v1 below is that of {FIRST.name}."
        ]
    return [f"{SECOND.name}: task_pct_v1.csv is byte for byte the task file of {FIRST.name}."]


def _read(overlay: Overlay) -> list[Number]:
    import duckdb

    with duckdb.connect(str(overlay.candidate), read_only=True) as connection:
        rows = connection.execute(
            """select edition, number_id, position, paper_section, label, unit, published_value,
            reference_value, value,
                outcome, recipe, reason from marts.reproduction order by position"""
        ).fetchall()
    if not rows:
        raise UserError(
            "The release has another number of conversations than the published one; check the files of "
            "the release against their checksums."
        )
    return [Number(*row) for row in rows]


def _changes(first: Sequence[Number], second: Sequence[Number], *overlays: Overlay) -> list[Number]:
    """Rows of the seed that compare the two editions: a share in v2 minus the share in v1, and sets of
    tasks.
    """
    before = {number.number_id.removeprefix("v1_"): number.value for number in first}
    after = {number.number_id.removeprefix("v2_"): number.value for number in second}
    tasks = _task_sets(*overlays)
    changes = []
    with (project_root() / NUMBERS).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["edition"] == "v1_to_v2"]
    for row in rows:
        if row["measure"] == "tasks":
            value: float | None = tasks[row["measure_key"]]
        else:
            name = f"category_{row['measure_key']}"
            left, right = before.get(name), after.get(name)
            value = None if left is None or right is None else right - left
        reference = float(row["reference_value"])
        is_held = value is not None and abs(value - reference) <= float(row["tolerance"])
        changes.append(
            Number(
                row["edition"],
                row["number_id"],
                int(row["position"]),
                row["paper_section"],
                row["label"],
                row["unit"],
                float(row["published_value"]) if row["published_value"] else None,
                reference,
                value,
                "reproduced" if is_held else "differs",
                row["recipe"],
                None,
            )
        )
    return changes


def _task_sets(first: Overlay, second: Overlay) -> dict[str, float]:
    import duckdb

    with duckdb.connect() as connection:
        for name, overlay in (("first", first), ("second", second)):
            connection.execute(f"attach '{overlay.candidate}' as {name}_release (read_only)")
        counted = """
            with tasks as (
                select coalesce(f.task_id, s.task_id) as id, f.task_id is not null as in_first, s.task_id
                is not null as in_second from (
                    select cast(task_id as varchar) as task_id from first_release.marts.task_usage where
                    status = 'published' union all
                    select outcome from first_release.marts.outcome_totals where outcome = 'none' and
                    status = 'published'
                ) as f
                full join (
                    select cast(task_id as varchar) as task_id from second_release.marts.task_usage where
                    status = 'published' union all
                    select outcome from second_release.marts.outcome_totals where outcome = 'none' and
                    status = 'published'
                ) as s on f.task_id = s.task_id
            )
            select
                count(*) filter (where in_first and not in_second),
                count(*) filter (where in_second and not in_first),
                count(*) filter (where in_first and in_second)
            from tasks
        """
        only_first, only_second, both = connection.execute(counted).fetchone() or (0, 0, 0)
    return {"only_first": only_first, "only_second": only_second, "both": both}


def shown(value: float | None, unit: str) -> str:
    """A value as text: counts whole, ratios and percents with three decimals, a dash for nothing."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if unit == "count" else f"{round(value, 3) + 0.0:.3f}"


def as_markdown(result: Reproduction) -> str:
    """The page docs/reproduction.md."""
    counts = result.counts()
    lines = [
        "# The published numbers, recomputed",
        "",
        "Written by `economic-index reproduce --markdown docs/reproduction.md`. The marts of this project "
        "were built from the",
        "task shares and interaction types of the releases of February and March 2025; every number below "
        "comes from them.",
        "*Published* is what the paper (arXiv 2503.04761) or the second report prints, a dash where it "
        "stands only in a picture.",
        "*Recomputed* is what a separate program gets from the same files. *Difference* is ours minus the "
        "published number, or",
        "minus the recomputed one where none is printed. Percents and changes are in percentage points.",
        "",
        f"{counts['reproduced']} numbers are reproduced, {counts['differs']} differ, "
        f"{counts['not_reproducible']} cannot be recomputed from any release.",
        "",
    ]
    titles = {"v1": "First release", "v2": "Second release", "v1_to_v2": "From the first to the second"}
    for edition, title in titles.items():
        lines += [f"## {title}", ""]
        recipes: dict[str, list[Number]] = {}
        for number in result.numbers:
            if number.edition == edition and number.outcome != "not_reproducible":
                recipes.setdefault(f"{number.paper_section}: {number.recipe}", []).append(number)
        for recipe, numbers in recipes.items():
            lines += [
                f"{recipe[0].upper()}{recipe[1:]}.",
                "",
                "| number | published | recomputed | ours | difference |",
            ]
            lines += ["|---|---:|---:|---:|---:|"]
            lines += [
                f"| {n.label} | {'-' if n.published_value is None else f'{n.published_value:g}'} | "
                f"{shown(n.reference_value, n.unit)} | {shown(n.value, n.unit)} | "
                f"{shown(n.difference, n.unit)} |"
                for n in numbers
            ]
            lines.append("")
    lines += ["## Not recomputable", "", "| number | where | why |", "|---|---|---|"]
    lines += [
        f"| {n.label} | {n.paper_section} | {n.reason} |"
        for n in result.numbers
        if n.outcome == "not_reproducible"
    ]
    lines += ["", "## About the releases", "", *[f"* {note}" for note in result.notes], ""]
    return "\n".join(lines)
