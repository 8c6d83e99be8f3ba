"""The taxonomy a published release stands on, as seeds in the project's form."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from economic_index.errors import UserError
from economic_index.release.flat_files import normalised, read_table

STATEMENTS = "onet_task_statements.csv"
WAGES = "wage_data.csv"
EMPLOYMENT = "bls_employment_may_2023.csv"
# Hourly values and -1 stand in the same column as yearly salaries: published_numbers recipe, the paper's
# Figure 6.
LOWEST_YEARLY_SALARY = 100
# Statement files whose O*NET release is known from their content.
KNOWN_STATEMENTS = {"82e4c418dc08475ef1263ad1e8c66ffa3357291370cd35ee1065ecea590597ec": "20.1"}
# Computer occupations were renumbered between the vintages, and every release so far has them.
ONLY_IN = {
    "2010": {"15-1131.00", "15-1132.00", "15-1133.00"},
    "2019": {"15-1251.00", "15-1252.00", "15-1254.00"},
}

HEADERS: dict[str, Sequence[str]] = {
    "onet_occupations": ["onet_soc_code", "title", "description"],
    "onet_task_statements": [
        *("onet_soc_code", "task_id", "task", "task_type"),
        *("incumbents_responding", "task_date", "domain_source"),
    ],
    "onet_job_zones": ["onet_soc_code", "job_zone"],
    "onet_iwa_reference": ["element_id", "iwa_id", "iwa_title"],
    "onet_dwa_reference": ["element_id", "iwa_id", "dwa_id", "dwa_title"],
    "onet_tasks_to_dwas": ["onet_soc_code", "task_id", "dwa_id"],
    "onet_soc_crosswalk": [
        *("onet_soc_2010_code", "onet_soc_2010_title"),
        *("onet_soc_2019_code", "onet_soc_2019_title"),
    ],
    "bls_oews_national": ["occ_code", "occ_title", "o_group", "tot_emp", "a_mean", "a_median", "h_median"],
    "taxonomy_release": ["taxonomy_release", "soc_vintage", "wage_release", "is_sample", "source"],
}


@dataclass(frozen=True)
class TaxonomyOptions:
    """Where the parts of a taxonomy come from when the release does not hold them.

    Attributes:
        folder: a folder in the flat layout with task statements, or one of the project's own seed folders.
        zones: an official ``Job Zones.txt`` (tab-separated), read in place of the zones among the wages.
        crosswalk: O*NET-SOC 2010 to 2019, needed when ``zones`` are of the 2019 vintage and tasks of 2010.
        soc_vintage: 2010 or 2019, where the codes do not tell.
    """

    folder: Path | None = None
    zones: Path | None = None
    crosswalk: Path | None = None
    soc_vintage: str | None = None


@dataclass(frozen=True)
class Taxonomy:
    """What was installed: name, vintage of the codes, every task text in normal form, remarks."""

    release: str
    soc_vintage: str
    task_names: frozenset[str]
    notes: list[str] = field(default_factory=list)


def install_taxonomy(source: Path, output: Path, options: TaxonomyOptions) -> Taxonomy:
    """Write the nine taxonomy seeds to ``output``.

    Raises:
        UserError: there are no task statements, a file is damaged, or codes of two vintages are mixed.
    """
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    if (
        not (source / STATEMENTS).is_file()
        and options.folder is not None
        and (options.folder / "taxonomy_release.csv").is_file()
    ):
        return _copy_seeds(options.folder, output)
    statements_file = _find(STATEMENTS, source, options.folder)
    if statements_file is None:
        raise UserError(
            f"The release {source} has no {STATEMENTS}; give a folder that holds the task statements with "
            "--taxonomy."
        )
    notes: list[str] = []
    statements = _read_statements(statements_file)
    codes = {row["onet_soc_code"] for row in statements}
    vintage = options.soc_vintage or soc_vintage(codes, statements_file)
    seeds: dict[str, Iterable[Mapping[str, object]]] = {name: [] for name in HEADERS}
    seeds["onet_task_statements"] = statements
    seeds["onet_occupations"] = _occupations(statements)
    wages, zones = _read_wages(_find(WAGES, source, options.folder), notes)
    seeds["bls_oews_national"] = wages
    if options.crosswalk is not None:
        seeds["onet_soc_crosswalk"] = _read_crosswalk(options.crosswalk)
    if options.zones is not None:
        zones = _read_zones(options.zones)
        notes.append(
            f"Job zones are those of {options.zones.name} as given, not those among the wages of the release."
        )
    seeds["onet_job_zones"] = [
        row for row in zones if options.crosswalk is not None or row["onet_soc_code"] in codes
    ]
    release = KNOWN_STATEMENTS.get(
        sha256(statements_file.read_bytes()).hexdigest(), f"as published in {source.resolve().name}"
    )
    seeds["taxonomy_release"] = [
        {
            "taxonomy_release": release,
            "soc_vintage": vintage,
            "wage_release": f"as published in {WAGES}" if wages else "none",
            "is_sample": "false",
            "source": "Task statements of a published release; O*NET data by USDOL/ETA, CC BY 4.0",
        }
    ]
    for name, rows in seeds.items():
        _write_seed(output / f"{name}.csv", HEADERS[name], rows)
    _check_employment(_find(EMPLOYMENT, source, options.folder), notes)
    return Taxonomy(release, vintage, frozenset(normalised(str(row["task"])) for row in statements), notes)


def soc_vintage(codes: set[str], path: Path) -> str:
    """2010 or 2019, told by the codes of computer occupations; 2019 where neither is there.

    Raises:
        UserError: codes of both vintages occur.
    """
    found = [vintage for vintage, markers in ONLY_IN.items() if codes & markers]
    if len(found) > 1:
        raise UserError(
            f"The file {path} mixes O*NET-SOC codes of 2010 and 2019; use statements of one release, or "
            "say which vintage to take with --soc-vintage."
        )
    return found[0] if found else "2019"


def _find(name: str, *folders: Path | None) -> Path | None:
    return next(
        (folder / name for folder in folders if folder is not None and (folder / name).is_file()), None
    )


def _copy_seeds(folder: Path, output: Path) -> Taxonomy:
    for name in HEADERS:
        path = folder / f"{name}.csv"
        if not path.is_file():
            raise UserError(
                f"The taxonomy folder {folder} has no {path.name}; give a complete folder of taxonomy seeds."
            )
        shutil.copyfile(path, output / path.name)
    row = read_table(folder / "taxonomy_release.csv", ["taxonomy_release", "soc_vintage"])[0]
    tasks = read_table(folder / "onet_task_statements.csv", ["task"])
    return Taxonomy(
        row["taxonomy_release"], row["soc_vintage"], frozenset(normalised(t["task"]) for t in tasks)
    )


def _read_statements(path: Path) -> list[dict[str, str]]:
    rows = read_table(
        path,
        ["O*NET-SOC Code", "Title", "Task ID", "Task"],
        ["Task Type", "Incumbents Responding", "Date", "Domain Source"],
    )
    return [
        {
            "onet_soc_code": row["O*NET-SOC Code"],
            "task_id": _whole(path, number, row["Task ID"]),
            "task": row["Task"],
            "task_type": row["Task Type"],
            "incumbents_responding": row["Incumbents Responding"],
            "task_date": row["Date"],
            "domain_source": row["Domain Source"],
            "title": row["Title"],
        }
        for number, row in enumerate(rows, start=1)
    ]


def _whole(path: Path, number: int, text: str) -> str:
    whole = text.removesuffix(".0")
    if not whole.isdecimal():
        raise UserError(
            f"Data row {number} of {path} has a Task ID that is not a whole number; mend that cell."
        )
    return whole


def _occupations(statements: Sequence[Mapping[str, str]]) -> list[dict[str, object]]:
    titles: dict[str, str] = {}
    for row in statements:
        titles.setdefault(row["onet_soc_code"], row["title"])
    return [
        {"onet_soc_code": code, "title": title, "description": ""} for code, title in sorted(titles.items())
    ]


def _read_wages(path: Path | None, notes: list[str]) -> tuple[list[dict[str, object]], list[dict[str, str]]]:
    if path is None:
        notes.append(
            f"{WAGES} is not in the folder: wage marts have no wages and job zones are those given, if any."
        )
        return [], []
    wages: list[dict[str, object]] = []
    zones: list[dict[str, str]] = []
    seen: set[str] = set()
    for number, row in enumerate(
        read_table(path, ["SOCcode", "MedianSalary"], ["JobName", "JobZone"]), start=1
    ):
        if row["SOCcode"] in seen:
            continue
        seen.add(row["SOCcode"])
        try:
            salary = float(row["MedianSalary"] or -1)
        except ValueError as error:
            raise UserError(
                f"Data row {number} of {path} has a MedianSalary that is not a number; mend that cell."
            ) from error
        wages.append(
            {
                # The code in full: OEWS codes are shorter, so the two cannot be taken for each other.
                "occ_code": row["SOCcode"],
                "occ_title": row["JobName"],
                "o_group": "detailed",
                "tot_emp": "**",
                "a_mean": "*",
                "a_median": f"{salary:.2f}" if salary > LOWEST_YEARLY_SALARY else "*",
                "h_median": "*",
            }
        )
        if row["JobZone"] in {"1", "2", "3", "4", "5"}:
            zones.append({"onet_soc_code": row["SOCcode"], "job_zone": row["JobZone"]})
    return wages, zones


def _read_zones(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig") as file:
        delimiter = "\t" if "\t" in file.readline() else ","
    rows = read_table(path, ["O*NET-SOC Code", "Job Zone"], delimiter=delimiter)
    return [{"onet_soc_code": row["O*NET-SOC Code"], "job_zone": row["Job Zone"]} for row in rows]


def _read_crosswalk(path: Path) -> list[dict[str, str]]:
    names = ["O*NET-SOC 2010 Code", "O*NET-SOC 2010 Title", "O*NET-SOC 2019 Code", "O*NET-SOC 2019 Title"]
    return [
        dict(zip(HEADERS["onet_soc_crosswalk"], row.values(), strict=True)) for row in read_table(path, names)
    ]


def _check_employment(path: Path | None, notes: list[str]) -> None:
    if path is None:
        notes.append(
            f"{EMPLOYMENT} is not in the folder: US employment is that of "
            "seeds/reference/soc_major_groups.csv."
        )
        return
    ours = project_employment()
    theirs = {
        row["SOC or O*NET-SOC 2019 Title"]: row["bls_distribution"].removesuffix(".0")
        for row in read_table(path, ["SOC or O*NET-SOC 2019 Title", "bls_distribution"])
    }
    differing = sorted(title for title in ours.keys() | theirs.keys() if ours.get(title) != theirs.get(title))
    if differing:
        notes.append(
            f"{EMPLOYMENT}: {len(differing)} of the SOC major groups differ from "
            "seeds/reference/soc_major_groups.csv, whose numbers the marts use."
        )


def project_employment() -> dict[str, str]:
    """US employment by title of the SOC major group, from the project's own seed."""
    from economic_index.paths import project_root

    path = project_root() / "seeds" / "reference" / "soc_major_groups.csv"
    return {row["title"]: row["n_employed"] for row in read_table(path, ["title", "n_employed"])}


def _write_seed(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
