"""Readers of the official files: O*NET text releases and BLS OEWS tables, in every packing they are passed
around in.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from economic_index.errors import UserError

Row = dict[str, str]

SOC_CODE = re.compile(r"\d{2}-\d{4}\.\d{2}")
#: What BLS prints where there is no number; "#" is a wage at or above the published cap.
OEWS_MARKS = frozenset(["", "*", "**", "#", "~", "-"])
_NUMBER = re.compile(r"\d[\d,]*(\.\d+)?")
_EXTENSIONS = (".txt", ".csv", ".tsv", ".xlsx")
_MAX_BYTES = 512 * 2**20


@dataclass(frozen=True)
class OfficialFile:
    """One official file and the seed it becomes: ``columns`` maps seed column to the accepted official
    headers.
    """

    seed: str
    title: str
    columns: dict[str, tuple[str, ...]]
    #: Columns that a file may lack; they stay empty.
    optional: frozenset[str] = field(default_factory=frozenset)
    #: Whether a release without the file can be installed without saying so.
    needed: bool = True


ONET_FILES = (
    OfficialFile(
        "onet_occupations",
        "Occupation Data",
        {"onet_soc_code": ("O*NET-SOC Code",), "title": ("Title",), "description": ("Description",)},
    ),
    OfficialFile(
        "onet_task_statements",
        "Task Statements",
        {
            "onet_soc_code": ("O*NET-SOC Code",),
            "task_id": ("Task ID",),
            "task": ("Task",),
            "task_type": ("Task Type",),
            "incumbents_responding": ("Incumbents Responding",),
            "task_date": ("Date",),
            "domain_source": ("Domain Source",),
        },
        optional=frozenset(["incumbents_responding", "task_date", "domain_source"]),
    ),
    OfficialFile(
        "onet_job_zones", "Job Zones", {"onet_soc_code": ("O*NET-SOC Code",), "job_zone": ("Job Zone",)}
    ),
    OfficialFile(
        "onet_iwa_reference",
        "IWA Reference",
        {"element_id": ("Element ID",), "iwa_id": ("IWA ID",), "iwa_title": ("IWA Title",)},
        needed=False,
    ),
    OfficialFile(
        "onet_dwa_reference",
        "DWA Reference",
        {
            "element_id": ("Element ID",),
            "iwa_id": ("IWA ID",),
            "dwa_id": ("DWA ID",),
            "dwa_title": ("DWA Title",),
        },
        needed=False,
    ),
    OfficialFile(
        "onet_tasks_to_dwas",
        "Tasks to DWAs",
        {"onet_soc_code": ("O*NET-SOC Code",), "task_id": ("Task ID",), "dwa_id": ("DWA ID",)},
        needed=False,
    ),
)
OEWS_FILE = OfficialFile(
    "bls_oews_national",
    "OEWS national table",
    {
        "occ_code": ("OCC_CODE",),
        "occ_title": ("OCC_TITLE",),
        "o_group": ("O_GROUP", "OCC_GROUP", "GROUP"),
        "tot_emp": ("TOT_EMP",),
        "a_mean": ("A_MEAN",),
        "a_median": ("A_MEDIAN",),
        "h_median": ("H_MEDIAN",),
    },
)
CROSSWALK_FILE = OfficialFile(
    "onet_soc_crosswalk",
    "2010 to 2019 Crosswalk",
    {
        "onet_soc_2010_code": ("O*NET-SOC 2010 Code",),
        "onet_soc_2010_title": ("O*NET-SOC 2010 Title",),
        "onet_soc_2019_code": ("O*NET-SOC 2019 Code",),
        "onet_soc_2019_title": ("O*NET-SOC 2019 Title",),
    },
)


@dataclass(frozen=True)
class Found:
    """A file that was found: its name for messages, and how to read it."""

    name: str
    read: Callable[[], bytes]


class OfficialFolder:
    """The official files below a folder or inside a zip, by their title ("task statements")."""

    def __init__(self, place: Path) -> None:
        """Look through ``place``; raises UserError when it does not exist or holds a damaged zip."""
        if not place.exists():
            raise UserError(f"{place} does not exist; give the folder or zip that holds the official files.")
        self.place = place
        self.files: dict[str, Found] = {}
        # Files that lie open win over the same file inside an archive.
        for found in sorted(_walk(place), key=lambda found: (" in " in found.name, found.name)):
            self.files.setdefault(_title(found.name), found)

    def find(self, title: str) -> Found | None:
        """The file with this official title, whatever its packing, or None."""
        return self.files.get(_title(title)) or self.files.get(_title(f"onet {title}"))

    def first(self, pattern: str) -> Found | None:
        """The first file whose title matches the regular expression."""
        matching = sorted(title for title in self.files if re.search(pattern, title))
        return self.files[matching[0]] if matching else None


def found_file(path: Path) -> Found:
    """A single file given by the user; of a zip, the one table inside that is not a description of fields."""
    if not path.is_file():
        raise UserError(f"{path} does not exist or is not a file; give the downloaded file.")
    if path.suffix.lower() != ".zip":
        return Found(path.name, lambda: _unpacked(path.name, path.read_bytes()))
    inside = [
        found for found in _walk(path) if not re.search("description|readme|read me", _title(found.name))
    ]
    if len(inside) != 1:
        raise UserError(
            f"{path.name} holds {len(inside)} tables instead of one; unpack it and give the right one."
        )
    return inside[0]


def read_rows(found: Found, wanted: OfficialFile) -> list[Row]:
    """Rows of an official file with the columns of the seed, values as text, "n/a" as empty.

    Raises:
        UserError: the file cannot be read, or lacks a column; the sentence names both.
    """
    header, rows = _table(found)
    place = {_header(name): i for i, name in enumerate(header)}
    position: dict[str, int | None] = {}
    for column, names in wanted.columns.items():
        known = [place[_header(name)] for name in names if _header(name) in place]
        if not known and column not in wanted.optional:
            raise UserError(
                f"{found.name} lacks the column '{names[0]}'; is it the official file '{wanted.title}', "
                "unchanged?"
            )
        position[column] = known[0] if known else None
    result = []
    for number, row in rows:
        if len(row) < len(header):
            raise UserError(
                f"Line {number} of {found.name} has {len(row)} of {len(header)} fields; download the file "
                "again."
            )
        result.append({column: "" if i is None else _value(row[i]) for column, i in position.items()})
    if not result:
        raise UserError(f"{found.name} has a header but no rows; download the file again.")
    return result


def read_oews(found: Found) -> list[Row]:
    """National rows over all industries of an OEWS table (csv or xlsx), values as BLS prints them.

    Raises:
        UserError: a column is missing, or a number cannot be read.
    """
    header, rows = _table(found)
    place = {_header(name): i for i, name in enumerate(header)}
    kept = [
        (number, row)
        for number, row in rows
        if _is(row, place, "AREA_TYPE", "1") and _is(row, place, "I_GROUP", "cross-industry")
    ]
    buffer = Found(found.name, found.read)
    narrowed = read_rows(_Parsed(buffer.name, buffer.read, header, kept), OEWS_FILE)
    for row in narrowed:
        # Files before 2012 leave the group of detailed occupations blank.
        row["o_group"] = row["o_group"].lower() or "detailed"
        for column in ("tot_emp", "a_mean", "a_median", "h_median"):
            if row[column] not in OEWS_MARKS and not _NUMBER.fullmatch(row[column]):
                raise UserError(
                    f"{found.name} holds something else than a number in the column {column.upper()} of "
                    f"{row['occ_code']}; download the file again."
                )
    return narrowed


def wage_release(name: str) -> str | None:
    """``May 2023`` from the names BLS gives (oesm23nat.zip, national_M2023_dl.xlsx), or None."""
    match = re.search(r"may[_ -]?(20\d\d)|M(20\d\d)|oesm(\d\d)", name, re.IGNORECASE)
    if match is None:
        return None
    year = match[1] or match[2] or f"20{match[3]}"
    return f"May {year}"


@dataclass(frozen=True)
class _Parsed(Found):
    """A table that has been read already."""

    header: list[str]
    rows: list[tuple[int, list[str]]]


def _is(row: list[str], place: dict[str, int], column: str, value: str) -> bool:
    position = place.get(_header(column))
    return position is None or position >= len(row) or row[position].strip().lower() == value


def _table(found: Found) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and numbered rows of a table."""
    if isinstance(found, _Parsed):
        return found.header, found.rows
    try:
        raw = found.read()
    except (OSError, EOFError, zipfile.BadZipFile, gzip.BadGzipFile):
        raise UserError(f"{found.name} cannot be unpacked; download the file again.") from None
    lines = _sheet(found.name, raw) if raw[:4] == b"PK\x03\x04" else _text_rows(found.name, raw)
    numbered = [
        (number, row) for number, row in enumerate(lines, start=1) if any(cell.strip() for cell in row)
    ]
    if not numbered:
        raise UserError(f"{found.name} is empty; download the file again.")
    return numbered[0][1], numbered[1:]


def _text_rows(name: str, raw: bytes) -> Iterator[list[str]]:
    text = _decoded(raw)
    first = text.split("\n", 1)[0]
    if "\x00" in first:
        raise UserError(f"{name} is not a text file; give the text, csv or xlsx form.")
    # O*NET's tab-separated text is not quoted, so a quotation mark in it is only a quotation mark.
    if "\t" in first:
        return csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    return csv.reader(io.StringIO(text, newline=""))


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")  # older releases


def _sheet(name: str, raw: bytes) -> list[list[str]]:
    """Rows of the first sheet of a workbook; whole numbers lose the decimal point a spreadsheet may give
    them.
    """
    from openpyxl import load_workbook

    try:
        book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
        return [[_cell(cell) for cell in row] for row in book.worksheets[0].iter_rows(values_only=True)]
    except Exception:
        raise UserError(f"{name} cannot be read as a workbook; download the file again.") from None


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _walk(place: Path) -> Iterator[Found]:
    """Every table below a folder (two levels deep) and inside zips."""
    paths = (
        [place]
        if place.is_file()
        else sorted(p for p in [*place.glob("*"), *place.glob("*/*")] if p.is_file())
    )
    for path in paths:
        if path.suffix.lower() == ".zip":
            yield from _walk_zip(path)
        elif _inner_suffix(path.name) in _EXTENSIONS:
            yield Found(path.name, lambda path=path: _unpacked(path.name, path.read_bytes()))  # type: ignore[misc]


def _walk_zip(path: Path) -> Iterator[Found]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, zipfile.BadZipFile):
        raise UserError(f"{path.name} is not a complete zip file; download it again.") from None
    for member in members:
        if (
            member.is_dir()
            or _inner_suffix(member.filename) not in _EXTENSIONS
            or "__MACOSX" in member.filename
        ):
            continue
        name = f"{PurePosixPath(member.filename).name} in {path.name}"
        yield Found(name, lambda member=member: _from_zip(path, member))  # type: ignore[misc]


def _from_zip(path: Path, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > _MAX_BYTES:
        raise UserError(
            f"{member.filename} in {path.name} is larger than 512 MB; it is not an official file."
        )
    with zipfile.ZipFile(path) as archive:
        return _unpacked(member.filename, archive.read(member))


def _unpacked(name: str, raw: bytes) -> bytes:
    return gzip.decompress(raw) if name.lower().endswith(".gz") else raw


def _inner_suffix(name: str) -> str:
    return PurePosixPath(name.lower().removesuffix(".gz")).suffix


def _title(name: str) -> str:
    """``Task Statements.txt.gz`` and ``onet_task_statements.csv`` as words."""
    stem = name.split(" in ")[0].lower().removesuffix(".gz")
    for extension in _EXTENSIONS:
        stem = stem.removesuffix(extension)
    return re.sub(r"[\s_-]+", " ", stem).strip()


def _header(name: str) -> str:
    return re.sub(r"[\s_]+", " ", name).strip().casefold()


def _value(text: str) -> str:
    text = text.strip()
    return "" if text.casefold() == "n/a" else text
