"""Install an official O*NET release and BLS wages as seeds with the names of the sample's (DESIGN section
7).
"""

from __future__ import annotations

import csv
import hashlib
import http.client
import json
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from economic_index import __version__
from economic_index.errors import UserError
from economic_index.paths import project_root
from economic_index.taxonomy.official import (
    CROSSWALK_FILE,
    OEWS_FILE,
    ONET_FILES,
    SOC_CODE,
    Found,
    OfficialFile,
    OfficialFolder,
    Row,
    found_file,
    read_oews,
    read_rows,
    wage_release,
)

Progress = Callable[[str], None]

#: Where the official files are published. ``{release}`` is 29_1 for release 29.1, ``{year}`` is 23 for May
#: 2023.
OFFICIAL_URLS = {
    "onet": "https://www.onetcenter.org/dl_files/database/db_{release}_text.zip",
    "oews": "https://www.bls.gov/oes/special-requests/oesm{year}nat.zip",
    "crosswalk": "https://www.onetcenter.org/taxonomy/2019/walk/2010_to_2019_Crosswalk.csv?fmt=csv",
}
DEFAULT_WAGE_YEAR = 2023
CHECKSUMS = "checksums.json"
RELEASE_COLUMNS = ("taxonomy_release", "soc_vintage", "wage_release", "is_sample", "source")
ATTRIBUTION = (
    "This product includes information from the O*NET {release} Database by the U.S. Department of "
    "Labor, Employment and Training Administration (USDOL/ETA). Used under the CC BY 4.0 license. O*NET "
    "is a trademark of USDOL/ETA. Wages and employment: U.S. Bureau of Labor Statistics, OEWS {wages}."
)
_TIMEOUT_SECONDS = 60.0
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Sources:
    """Where the files come from: a folder or zip of O*NET files, and single files for wages and crosswalk."""

    from_dir: Path | None = None
    oews: Path | None = None
    crosswalk: Path | None = None
    base_url: str | None = None
    wage_year: int = DEFAULT_WAGE_YEAR
    sha256: Mapping[str, str] = field(default_factory=dict)
    allow_missing: bool = False


@dataclass(frozen=True)
class Installed:
    """What an installation wrote: rows per seed, and notes that the user should read."""

    release: str
    soc_vintage: str
    wage_release: str
    folder: Path
    rows: dict[str, int]
    notes: list[str]

    def setting(self) -> str:
        """The environment setting that switches the release on."""
        folder = self.folder
        if folder.is_relative_to(project_root()):
            folder = folder.relative_to(project_root())
        return f"ECONOMIC_INDEX_TAXONOMY={folder}"

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "release": self.release,
            "soc_vintage": self.soc_vintage,
            "wage_release": self.wage_release,
            "folder": str(self.folder),
            "rows": self.rows,
            "notes": self.notes,
            "setting": self.setting(),
        }


def installed_root() -> Path:
    """Folder of the installed releases."""
    return project_root() / "seeds" / "installed"


def install_release(release: str, sources: Sources, *, on_progress: Progress | None = None) -> Installed:
    """Read, check and write one release to ``seeds/installed/<release>``; nothing is changed when anything
    is wrong.

    Args:
        release: O*NET release such as ``29.1``.
        sources: local files, or what to download.
        on_progress: told what happens, one line at a time.

    Raises:
        UserError: a file or column is missing or damaged, a checksum differs, a download fails.
    """
    if not re.fullmatch(r"\d{1,3}\.\d{1,2}", release):
        raise UserError(f"'{release}' is not an O*NET release; write it like 29.1.")
    say = on_progress or (lambda _line: None)
    folder = installed_root() / release
    record = _record(folder)
    gathered = _gather(release, sources, record, say)
    say("checking files and columns")
    tables, notes = _tables(gathered, sources, release)
    vintage = soc_vintage([row["onet_soc_code"] for row in tables["onet_occupations"]], tables, release)
    wages = _wage_name(gathered, sources, tables)
    if vintage == "2010" and not tables["onet_soc_crosswalk"]:
        if not sources.allow_missing:
            raise UserError(
                f"O*NET {release} uses SOC codes of 2010, so the crosswalk to 2019 is needed; give it with "
                "--crosswalk."
            )
        notes.append("Without the crosswalk, occupations whose code changed have no wage.")
    tables["taxonomy_release"] = [
        {
            "taxonomy_release": release,
            "soc_vintage": vintage,
            "wage_release": wages,
            "is_sample": "false",
            "source": ATTRIBUTION.format(release=release, wages=wages),
        }
    ]
    notes.extend(_checked(tables))
    _write(folder, tables, record)
    rows = {name: len(table) for name, table in tables.items()}
    return Installed(release, vintage, wages, folder, rows, notes)


def soc_vintage(codes: Sequence[str], tables: Mapping[str, list[Row]], release: str) -> str:
    """``2010`` or ``2019``: the vintage that more of the codes belong to exclusively.

    The crosswalk tells which codes exist in one vintage only. Without it the software developers' codes
    do, which changed; and without those the release number (O*NET-SOC 2019 came with release 25.1).
    """
    crosswalk = tables.get("onet_soc_crosswalk", [])
    old = {row["onet_soc_2010_code"] for row in crosswalk} or {"15-1132.00", "15-1133.00", "15-1134.00"}
    new = {row["onet_soc_2019_code"] for row in crosswalk} or {"15-1252.00", "15-1254.00", "15-1255.00"}
    present = set(codes)
    only_old, only_new = len(present & (old - new)), len(present & (new - old))
    if only_old != only_new:
        return "2010" if only_old > only_new else "2019"
    major, minor = (int(part) for part in release.split("."))
    return "2019" if (major, minor) >= (25, 1) else "2010"


def list_releases() -> list[dict[str, Any]]:
    """The sample and every installed release: name, vintage, wages, counts, whether in use, whether
    unchanged.
    """
    from economic_index.paths import taxonomy_seeds

    folders = [project_root() / "seeds" / "sample"]
    if installed_root().is_dir():
        folders += sorted(p for p in installed_root().iterdir() if p.is_dir() and not p.name.startswith("."))
    listed = []
    for folder in folders:
        release_file = folder / "taxonomy_release.csv"
        if not release_file.is_file():
            continue
        with release_file.open(encoding="utf-8", newline="") as file:
            row = next(csv.DictReader(file), {})
        listed.append(
            {
                "release": row.get("taxonomy_release", ""),
                "soc_vintage": row.get("soc_vintage", ""),
                "wage_release": row.get("wage_release", ""),
                "is_sample": row.get("is_sample", "") == "true",
                "occupations": _count(folder / "onet_occupations.csv"),
                "task_statements": _count(folder / "onet_task_statements.csv"),
                "folder": str(folder.relative_to(project_root())),
                "in_use": folder.resolve() == taxonomy_seeds().resolve(),
                "changed_files": _changed_files(folder),
            }
        )
    return listed


def download(url: str, path: Path, *, expected: str | None, on_progress: Progress | None = None) -> str:
    """Fetch ``url`` into ``path`` in one piece and return its SHA-256; a file that is not as expected is
    not kept.

    Raises:
        UserError: the server cannot be reached, ends early, or the checksum differs.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    say = on_progress or (lambda _line: None)
    try:
        digest, size = _fetch(url, partial, say)
        if expected is not None and digest != expected.lower():
            raise UserError(
                f"The SHA-256 of {path.name} is {digest}, but {expected.lower()} was expected; nothing was "
                "installed."
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    say(f"{path.name}: {size / 1e6:.1f} MB, SHA-256 {digest}")
    return digest


def _fetch(url: str, partial: Path, say: Progress) -> tuple[str, int]:
    if not url.startswith(("http://", "https://")):
        raise UserError(f"'{url}' is not a web address; give one that begins with http:// or https://.")
    request = urllib.request.Request(url, headers={"User-Agent": f"economic-index/{__version__}"})
    digest, size = hashlib.sha256(), 0
    advice = "download it in a browser and use --from-dir, --oews or --crosswalk"
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer, partial.open("wb") as file:
            announced = answer.headers.get("Content-Length")
            say(f"downloading {url}")
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
    except urllib.error.HTTPError as error:
        raise UserError(f"The server answered {error.code} for {url}; {advice}.") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise UserError(f"{url} could not be downloaded ({reason}); {advice}.") from None
    if announced is not None and announced.isdecimal() and int(announced) != size:
        raise UserError(f"{url} ended after {size} of {announced} bytes; try again, or {advice}.")
    return digest.hexdigest(), size


@dataclass(frozen=True)
class _Gathered:
    onet: OfficialFolder
    oews: Found | None
    crosswalk: Found | None


def _gather(release: str, sources: Sources, record: dict[str, Any], say: Progress) -> _Gathered:
    """The files, downloaded where they were not given. With ``from_dir`` nothing is downloaded."""
    _check_given_sums(sources.sha256)
    if sources.from_dir is not None:
        onet = OfficialFolder(sources.from_dir)
        _release_matches(onet, release)
        oews = (
            found_file(sources.oews)
            if sources.oews
            else onet.first(r"^(national m|oesm|oews|bls oews|all data)")
        )
        walk = found_file(sources.crosswalk) if sources.crosswalk else onet.first("crosswalk")
        _remember_inputs(record, sources)
        return _Gathered(onet, oews, walk)
    urls = {
        "onet": OFFICIAL_URLS["onet"].format(release=release.replace(".", "_")),
        "oews": OFFICIAL_URLS["oews"].format(year=f"{sources.wage_year % 100:02d}"),
        "crosswalk": OFFICIAL_URLS["crosswalk"],
    }
    unused = set(sources.sha256) - {_name(url) for url in urls.values()}
    if unused:
        raise UserError(
            f"--sha256 names {sorted(unused)[0]}, which is not downloaded; name one of the downloads."
        )
    onet = OfficialFolder(_downloaded(release, urls["onet"], sources, record, say))
    oews_path = sources.oews or _downloaded(release, urls["oews"], sources, record, say)
    walk_path = sources.crosswalk or _downloaded(release, urls["crosswalk"], sources, record, say)
    _remember_inputs(record, sources)
    return _Gathered(onet, found_file(oews_path), found_file(walk_path))


def _downloaded(release: str, url: str, sources: Sources, record: dict[str, Any], say: Progress) -> Path:
    """Path of the downloaded file. Its checksum is the user's, or the one recorded at the first download."""
    name = _name(url)
    if sources.base_url is not None:
        url = f"{sources.base_url.rstrip('/')}/{name}"
    # Beside the releases, not inside one: dbt reads every csv below a seed folder as a seed.
    path = installed_root() / ".downloads" / release / name
    recorded = record["downloads"].get(name, {}).get("sha256")
    expected = sources.sha256.get(name, recorded)
    if path.is_file() and expected is not None and _sha256(path) == expected.lower():
        say(f"{name} is already here and has the expected checksum")
        return path
    digest = download(url, path, expected=expected, on_progress=say)
    record["downloads"][name] = {"url": url, "sha256": digest, "bytes": path.stat().st_size}
    return path


def _tables(gathered: _Gathered, sources: Sources, release: str) -> tuple[dict[str, list[Row]], list[str]]:
    """Rows of every seed, and what is missing although it may be."""
    tables: dict[str, list[Row]] = {}
    notes: list[str] = []
    for wanted in ONET_FILES:
        found = gathered.onet.find(wanted.title)
        if found is not None:
            tables[wanted.seed] = read_rows(found, wanted)
        elif wanted.seed == "onet_occupations":
            tables[wanted.seed] = _occupations_of_statements(gathered.onet)
        elif wanted.seed == "onet_task_statements" or (wanted.needed and not sources.allow_missing):
            raise UserError(
                f"The file '{wanted.title}' was not found in {gathered.onet.place}; add it"
                + (
                    "."
                    if wanted.seed == "onet_task_statements"
                    else ", or pass --allow-missing to go without it."
                )
            )
        else:
            tables[wanted.seed] = []
            notes.append(f"The file '{wanted.title}' of O*NET {release} is missing; its table is empty.")
    if gathered.oews is not None:
        tables[OEWS_FILE.seed] = read_oews(gathered.oews)
    elif sources.allow_missing:
        tables[OEWS_FILE.seed] = []
        notes.append("Without an OEWS table no occupation has a wage or employment.")
    else:
        raise UserError(
            "No OEWS wage table was given or found; give one with --oews, or pass --allow-missing."
        )
    tables[CROSSWALK_FILE.seed] = read_rows(gathered.crosswalk, CROSSWALK_FILE) if gathered.crosswalk else []
    return tables, notes


def _occupations_of_statements(onet: OfficialFolder) -> list[Row]:
    """Occupations from task statements that carry a title, as the files of some releases do."""
    statements = onet.find("Task Statements")
    with_title = OfficialFile(
        "onet_occupations", "Task Statements", {"onet_soc_code": ("O*NET-SOC Code",), "title": ("Title",)}
    )
    try:
        rows = read_rows(statements, with_title) if statements else []
    except UserError:
        rows = []
    if not rows:
        raise UserError(f"The file 'Occupation Data' was not found in {onet.place}; add it.")
    titles = {row["onet_soc_code"]: row["title"] for row in rows}
    return [{"onet_soc_code": code, "title": titles[code], "description": ""} for code in sorted(titles)]


def _checked(tables: dict[str, list[Row]]) -> list[str]:
    """Check codes, ids and keys; returns notes on what will be listed rather than used."""
    for seed in ("onet_occupations", "onet_task_statements", "onet_job_zones", "onet_tasks_to_dwas"):
        for number, row in enumerate(tables[seed], start=2):
            if not SOC_CODE.fullmatch(row["onet_soc_code"]):
                raise UserError(
                    f"Row {number} of {seed} has no O*NET-SOC code like 15-1252.00; check the file."
                )
            if "task_id" in row and not row["task_id"].isdecimal():
                raise UserError(f"Row {number} of {seed} has no whole number as Task ID; check the file.")
            if "job_zone" in row and row["job_zone"] not in {"1", "2", "3", "4", "5"}:
                raise UserError(f"Row {number} of {seed} has no job zone from 1 to 5; check the file.")
    for seed, key in (("onet_occupations", "onet_soc_code"), ("onet_job_zones", "onet_soc_code")):
        if len({row[key] for row in tables[seed]}) != len(tables[seed]):
            raise UserError(f"An occupation stands twice in {seed}; check the file.")
    known = {row["onet_soc_code"] for row in tables["onet_occupations"]}
    homeless = sum(row["onet_soc_code"] not in known for row in tables["onet_task_statements"])
    empty = sum(not row["task"] for row in tables["onet_task_statements"])
    notes = []
    if homeless:
        notes.append(
            f"{homeless} task statements belong to no occupation of the list; the model task_statements "
            "lists them."
        )
    if empty:
        notes.append(f"{empty} task statements have no text; the model task_statements lists them.")
    return notes


def _write(folder: Path, tables: dict[str, list[Row]], record: dict[str, Any]) -> None:
    """Write all seeds into a fresh folder, then put it in the place of the old one."""
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        columns = {file.seed: tuple(file.columns) for file in (*ONET_FILES, OEWS_FILE, CROSSWALK_FILE)}
        columns["taxonomy_release"] = RELEASE_COLUMNS
        record["seeds"] = {}
        for name, header in columns.items():
            path = fresh / f"{name}.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, header, lineterminator="\n")
                writer.writeheader()
                writer.writerows(tables[name])
            record["seeds"][path.name] = _sha256(path)
        (fresh / CHECKSUMS).write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _record(folder: Path) -> dict[str, Any]:
    """The checksums of an earlier installation, or an empty record."""
    path = folder / CHECKSUMS
    if not path.is_file():
        return {"downloads": {}, "inputs": {}, "seeds": {}}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {part: dict(record.get(part, {})) for part in ("downloads", "inputs", "seeds")}
    except (ValueError, AttributeError, TypeError):
        raise UserError(f"{path} cannot be read; delete the folder and install the release anew.") from None


def _release_matches(onet: OfficialFolder, release: str) -> None:
    """Refuse a folder whose Read Me names another release."""
    readme = onet.find("Read Me")
    if readme is None:
        return
    match = re.search(rb"O\*NET (\d+\.\d+) Database", readme.read())
    if match and match[1].decode() != release:
        raise UserError(f"{onet.place} holds O*NET {match[1].decode()}, not {release}; give the right one.")


def _wage_name(gathered: _Gathered, sources: Sources, tables: Mapping[str, list[Row]]) -> str:
    if not tables[OEWS_FILE.seed] or gathered.oews is None:
        return "none"
    name = gathered.oews.name if sources.oews is None else f"{gathered.oews.name} {sources.oews.name}"
    return wage_release(name) or "unknown"


def _remember_inputs(record: dict[str, Any], sources: Sources) -> None:
    for path in (sources.oews, sources.crosswalk):
        if path is not None and path.is_file():
            record["inputs"][path.name] = _sha256(path)


def _check_given_sums(sums: Mapping[str, str]) -> None:
    for name, value in sums.items():
        if not re.fullmatch(r"[0-9a-fA-F]{64}", value):
            raise UserError(f"The SHA-256 given for {name} must have 64 hexadecimal digits.")


def _changed_files(folder: Path) -> list[str]:
    """Seeds that are not as the installation wrote them; a folder without a record has none."""
    seeds = _record(folder)["seeds"]
    return sorted(
        name
        for name, digest in seeds.items()
        if not (folder / name).is_file() or _sha256(folder / name) != digest
    )


def _count(path: Path) -> int:
    if not path.is_file():
        return 0
    with path.open(encoding="utf-8", newline="") as file:
        return max(0, sum(1 for _ in csv.reader(file)) - 1)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _name(url: str) -> str:
    return url.split("?")[0].rsplit("/", 1)[-1]
