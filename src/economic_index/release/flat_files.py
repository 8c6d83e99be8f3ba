"""Reading the CSV files of a published release: byte-order marks, Windows line ends, very long cells."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from economic_index.errors import UserError

# The csv module refuses cells above 128 kB unless told otherwise; a release may hold one of some megabytes.
LONGEST_CELL = 64 * 1024 * 1024


@contextmanager
def _long_cells() -> Iterator[None]:
    before = csv.field_size_limit(LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _name(column: str) -> str:
    return " ".join(column.split()).casefold()


def read_table(
    path: Path, required: Sequence[str], optional: Sequence[str] = (), delimiter: str = ","
) -> list[dict[str, str]]:
    """Rows of a CSV file with a header, reduced to the named columns; cells are trimmed text.

    Column names are compared without regard to case and white space. Rows that are empty throughout are
    skipped.

    Args:
        path: the file, UTF-8 with or without a byte-order mark.
        required: columns that must be there, by the name that the result uses.
        optional: columns that are empty text where the file does not have them.
        delimiter: one character.

    Raises:
        UserError: the file cannot be read as UTF-8 CSV, has no header, lacks a column or repeats one.
    """
    try:
        with _long_cells(), path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = next(reader, None)
            if not header or not any(cell.strip() for cell in header):
                raise UserError(f"The file {path} is empty; take the file of the published release again.")
            positions = _positions(path, header, required, optional)
            return list(_rows(path, reader, len(header), positions))
    except UnicodeDecodeError as error:
        raise UserError(f"The file {path} is not UTF-8 text; save it as UTF-8 CSV.") from error
    except csv.Error as error:
        raise UserError(
            f"The file {path} is not valid CSV (near line {reader.line_num}); save it again as CSV."
        ) from error


def _positions(
    path: Path, header: Sequence[str], required: Sequence[str], optional: Sequence[str]
) -> Mapping[str, int | None]:
    names = [_name(cell) for cell in header]
    positions: dict[str, int | None] = {}
    for column in (*required, *optional):
        places = [index for index, name in enumerate(names) if name == _name(column)]
        if len(places) > 1:
            raise UserError(f"The file {path} has the column '{column}' more than once; leave one of them.")
        if not places and column in required:
            raise UserError(
                f"The file {path} has no column '{column}'; give the column that holds it this name."
            )
        positions[column] = places[0] if places else None
    return positions


def _rows(
    path: Path, reader: Iterator[list[str]], width: int, positions: Mapping[str, int | None]
) -> Iterator[dict[str, str]]:
    for number, cells in enumerate(reader, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != width:
            raise UserError(
                f"Row {number} of {path} has {len(cells)} cells where the header has {width}; mend that row."
            )
        yield {name: "" if place is None else cells[place].strip() for name, place in positions.items()}


def percentage(path: Path, number: int, text: str) -> float:
    """A cell of a percentage column as a number in 0..100.

    Raises:
        UserError: it is not such a number.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 100:
        raise UserError(
            f"Data row {number} of {path} has a percentage that is not a number from 0 to 100; mend that "
            "cell."
        )
    return value


def normalised(text: str) -> str:
    """A task text as the project compares them: lower case, white space collapsed
    (macros/compat/normalised_text.sql).
    """
    return re.sub(r"[ \t\n\r\f\v]+", " ", text).strip(" ").lower()
