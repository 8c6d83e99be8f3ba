"""A published release in the flat layout, read as already aggregated, already thresholded input.

Two things are written: the taxonomy the release stands on, as seeds in the project's form, and a small
folder of counts that stands in for the wall (macros/imported/door.sql). No share is computed here: the
marts do that.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from economic_index import __version__
from economic_index.errors import UserError
from economic_index.release.counts import Counts, counts_over, recover_total
from economic_index.release.flat_files import normalised, percentage, read_table
from economic_index.release.flat_taxonomy import Taxonomy, TaxonomyOptions, install_taxonomy

PSEUDO_TASK = "none"
FLOOR_CONVERSATIONS = 15
INTERACTION_TYPES = ("directive", "feedback loop", "task iteration", "learning", "validation", "none")
METADATA = "datapackage.json"
LONGEST_LISTED = 200

TASKS = pa.schema([("task_name", pa.string()), ("n_conversations", pa.int64())])
PATTERNS = pa.schema([("collaboration_pattern", pa.string()), ("n_conversations", pa.int64())])
OUTCOMES = pa.schema([("outcome", pa.string()), ("n_conversations", pa.int64())])
RESIDUALS = pa.schema(
    [("residual_level", pa.string()), ("unit", pa.string()), ("n_conversations", pa.int64())]
)
RUN = pa.schema(
    [
        ("release_name", pa.string()),
        ("project_version", pa.string()),
        ("content_hash", pa.string()),
        ("n_total", pa.int64()),
        ("window_start", pa.string()),
        ("window_end", pa.string()),
    ]
)


@dataclass(frozen=True)
class Options:
    """What the user may say about a release.

    Attributes:
        edition: which of several task files, ``v1`` or ``v2``; the newest by default.
        total: number of conversations that the task percentages are of.
        pattern_total: the same for the interaction types, which come from another sample.
        taxonomy: where task statements, wages and zones come from if the release lacks them.
    """

    edition: str | None = None
    total: int | None = None
    pattern_total: int | None = None
    taxonomy: TaxonomyOptions = field(default_factory=TaxonomyOptions)


@dataclass
class Report:
    """What was read, what was not, and everything about it that a careful reader should know."""

    release: str
    output: str
    taxonomy_folder: str
    task_file: str
    n_tasks: int = 0
    total: int = 0
    total_source: str = ""
    sum_of_percentages: float = 0.0
    n_none: int | None = None
    pattern_file: str | None = None
    pattern_total: int | None = None
    pattern_total_source: str | None = None
    sum_of_pattern_percentages: float | None = None
    taxonomy_release: str = ""
    soc_vintage: str = ""
    tasks_not_in_taxonomy: list[dict[str, Any]] = field(default_factory=list)
    duplicate_tasks: list[dict[str, Any]] = field(default_factory=list)
    below_floor: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def import_release(source: Path, output: Path, seeds: Path, options: Options | None = None) -> Report:
    """Read the release in ``source``; write ``output/door/*.parquet``, ``output/report.json`` and the
    taxonomy ``seeds/*.csv``.

    Args:
        source: folder of the release.
        output: folder for the counts; what it holds of an earlier import is replaced.
        seeds: folder for the taxonomy, inside the dbt project: dbt writes the SQL it runs to the target
            folder joined with a seed's path, and for an absolute path that is the seed itself.
        options: what the user says about the release.

    Raises:
        UserError: a file or column is missing, a value cannot be read, codes of two SOC vintages are
            mixed, or whole counts cannot be told from the percentages and no total was given.
    """
    options = options or Options()
    if not source.is_dir():
        raise UserError(f"There is no folder {source}; give the folder that holds the files of the release.")
    task_file = find_task_file(source, options.edition)
    report = Report(source.resolve().name, str(output), str(seeds), task_file.name)
    metadata = read_metadata(source)
    tasks, outcomes = _read_tasks(task_file, options, metadata, report)
    patterns = _read_patterns(source, task_file, options, metadata, report)
    taxonomy = install_taxonomy(source, seeds, options.taxonomy)
    report.taxonomy_release, report.soc_vintage = taxonomy.release, taxonomy.soc_vintage
    report.notes += taxonomy.notes
    _list_unknown(tasks, taxonomy, report)
    run = {
        "release_name": report.release,
        "project_version": __version__,
        "content_hash": _content_hash(source),
        "n_total": report.total,
        "window_start": str(metadata.get("window_start", "unknown")),
        "window_end": str(metadata.get("window_end", "unknown")),
    }
    tables = {
        "tasks": pa.Table.from_pylist(
            [{"task_name": t, "n_conversations": n} for t, n in tasks.items()], TASKS
        ),
        "patterns": pa.Table.from_pylist(
            [{"collaboration_pattern": p, "n_conversations": n} for p, n in patterns.items()], PATTERNS
        ),
        "outcomes": pa.Table.from_pylist(
            [{"outcome": o, "n_conversations": n} for o, n in outcomes.items()], OUTCOMES
        ),
        "residuals": pa.Table.from_pylist(_read_residuals(source), RESIDUALS),
        "run": pa.Table.from_pylist([run], RUN),
    }
    _write(output, tables, report)
    return report


def find_task_file(source: Path, edition: str | None) -> Path:
    """The file of task shares: ``onet_task_mappings.csv``, or the newest (or named) ``task_pct_v*.csv``.

    Raises:
        UserError: there is none.
    """
    if edition is not None:
        path = source / f"task_pct_{edition}.csv"
        if not path.is_file():
            raise UserError(
                f"The release {source} has no file {path.name}; leave --edition out or name one that is "
                "there."
            )
        return path
    single = source / "onet_task_mappings.csv"
    if single.is_file():
        return single
    numbered = sorted(source.glob("task_pct_v*.csv"), key=lambda path: (len(path.name), path.name))
    if not numbered:
        raise UserError(
            f"The release {source} has no task shares: it needs onet_task_mappings.csv or task_pct_v1.csv, "
            "task_pct_v2.csv."
        )
    return numbered[-1]


def read_metadata(source: Path) -> Mapping[str, Any]:
    """The project's own section of ``datapackage.json``: totals by file and the window; empty where there
    is none.
    """
    path = source / METADATA
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(
            f"The file {path} is not valid JSON; mend it or take it out of the folder."
        ) from error
    section = document.get("economic_index") if isinstance(document, dict) else None
    return section if isinstance(section, dict) else {}


def _read_shares(path: Path, label: str) -> tuple[list[str], list[float]]:
    rows = read_table(path, [label, "pct"])
    if not rows:
        raise UserError(
            f"The file {path} has a header but no rows; take the file of the published release again."
        )
    values = [percentage(path, number, row["pct"]) for number, row in enumerate(rows, start=1)]
    return [row[label] for row in rows], values


def _counts(
    path: Path, values: Sequence[float], given: int | None, metadata: Mapping[str, Any], option: str
) -> Counts:
    totals = metadata.get("totals")
    stated = totals.get(path.name) if isinstance(totals, dict) else None
    if given is not None:
        return counts_over(values, given, "given")
    if isinstance(stated, int) and stated > 0:
        return counts_over(values, stated, "metadata")
    recovered = recover_total(values)
    if recovered is None:
        raise UserError(
            f"The percentages of {path} do not have enough digits to tell whole counts; give the number of "
            f"conversations they are of with {option}."
        )
    return counts_over(values, recovered, "digits")


def _read_tasks(
    path: Path, options: Options, metadata: Mapping[str, Any], report: Report
) -> tuple[dict[str, int], dict[str, int]]:
    names, values = _read_shares(path, "task_name")
    counted = _counts(path, values, options.total, metadata, "--total")
    report.total, report.total_source = counted.total, counted.source
    report.sum_of_percentages = sum(values)
    _say_sum(path.name, report.sum_of_percentages, report)
    if not counted.is_exact:
        report.notes.append(
            f"{path.name}: percentages are not whole counts over {counted.total:,}; they were rounded."
        )
    keys = [normalised(name) for name in names]
    shown = dict(zip(keys, names, strict=True))
    tasks: Counter[str] = Counter()
    for key, n in zip(keys, counted.counts, strict=True):
        tasks[key] += n
    times = Counter(keys)
    report.duplicate_tasks = [
        {"task_name": shorten(shown[k]), "n_rows": n} for k, n in times.items() if n > 1
    ]
    if report.duplicate_tasks:
        report.notes.append(
            f"{path.name}: {len(report.duplicate_tasks)} tasks stand in several rows; their shares were "
            "added."
        )
    none = tasks.pop(PSEUDO_TASK, None)
    report.n_none, report.n_tasks = none, len(tasks)
    report.below_floor = [
        {"task_name": shorten(shown[k]), "n_conversations": n}
        for k, n in tasks.items()
        if n < FLOOR_CONVERSATIONS
    ]
    if report.below_floor:
        report.notes.append(
            f"{path.name}: {len(report.below_floor)} tasks have fewer than {FLOOR_CONVERSATIONS} "
            "conversations; the marts withhold them."
        )
    return dict(tasks), {} if none is None else {"none": none}


def _read_patterns(
    source: Path, task_file: Path, options: Options, metadata: Mapping[str, Any], report: Report
) -> dict[str, int]:
    names = ["automation_vs_augmentation.csv"]
    if task_file.stem.startswith("task_pct_"):
        names.insert(0, f"automation_vs_augmentation_{task_file.stem.removeprefix('task_pct_')}.csv")
    path = next((source / name for name in names if (source / name).is_file()), None)
    if path is None:
        report.notes.append(f"{names[0]} is not in the folder: collaboration marts stay empty.")
        return {}
    labels, values = _read_shares(path, "interaction_type")
    types = [normalised(label).replace("_", " ") for label in labels]
    strange = sorted(set(types) - set(INTERACTION_TYPES))
    if strange:
        raise UserError(
            f"The file {path} has an interaction type that the project does not know "
            f"('{shorten(strange[0], 40)}'); it may hold {', '.join(INTERACTION_TYPES)}."
        )
    if len(set(types)) < len(types):
        raise UserError(f"The file {path} has an interaction type in two rows; leave one row each.")
    counted = _counts(path, values, options.pattern_total, metadata, "--pattern-total")
    report.pattern_file, report.pattern_total = path.name, counted.total
    report.pattern_total_source = counted.source
    report.sum_of_pattern_percentages = sum(values)
    _say_sum(path.name, report.sum_of_pattern_percentages, report)
    patterns = {name.replace(" ", "_"): n for name, n in zip(types, counted.counts, strict=True)}
    rest = counted.total - sum(counted.counts)
    # What the file leaves out of its own total is somebody's conversations: it stays, as a part that has
    # no pattern.
    if rest >= FLOOR_CONVERSATIONS:
        patterns["not_attributed"] = rest
    return patterns


def _read_residuals(source: Path) -> list[dict[str, Any]]:
    path = source / "residuals.csv"
    if not path.is_file():
        return []
    rows = read_table(path, ["residual_level", "unit", "n_conversations"])
    residuals = []
    for number, row in enumerate(rows, start=1):
        if not row["n_conversations"].isdecimal():
            raise UserError(f"Data row {number} of {path} has no whole n_conversations; mend that cell.")
        residuals.append({**row, "n_conversations": int(row["n_conversations"])})
    return residuals


def _say_sum(name: str, total: float, report: Report) -> None:
    if abs(total - 100) > 0.01:
        report.notes.append(
            f"{name}: percentages sum to {total:.4f}, not 100; shares in the marts are over what is there, "
            "and say so in their names."
        )


def _list_unknown(tasks: Mapping[str, int], taxonomy: Taxonomy, report: Report) -> None:
    unknown = {name: n for name, n in tasks.items() if name not in taxonomy.task_names}
    report.tasks_not_in_taxonomy = [
        {"task_name": shorten(name), "n_conversations": n} for name, n in sorted(unknown.items())
    ]
    if unknown:
        report.notes.append(
            f"{len(unknown)} tasks with {sum(unknown.values()):,} conversations are not in the taxonomy; "
            "they are listed in tasks_not_in_taxonomy.csv and count as the global residual "
            "(`unattributed`)."
        )
    if tasks and len(unknown) == len(tasks):
        raise UserError(
            "No task of the release is in the taxonomy; give the folder with its own task statements with "
            "--taxonomy."
        )


def shorten(text: str, length: int = LONGEST_LISTED) -> str:
    """``text`` cut to ``length`` characters, so that a damaged cell cannot fill a report."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _content_hash(source: Path) -> str:
    digest = sha256()
    for path in sorted(source.glob("*.csv")):
        digest.update(path.name.encode() + b"\0" + sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _write(output: Path, tables: Mapping[str, pa.Table], report: Report) -> None:
    door = output / "door"
    shutil.rmtree(door, ignore_errors=True)
    door.mkdir(parents=True)
    for name, table in tables.items():
        pq.write_table(table, door / f"{name}.parquet")
    (output / "report.json").write_text(
        json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    _write_list(
        output / "tasks_not_in_taxonomy.csv", ["task_name", "n_conversations"], report.tasks_not_in_taxonomy
    )


def _write_list(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    import csv

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
