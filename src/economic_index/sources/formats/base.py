"""What every import format has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from economic_index.sources.files import Kind, Progress, Record
from economic_index.sources.validate import Epoch

#: Turns a file into records with canonical column names; one record for each conversation or unusable row.
Reader = Callable[[Path, Progress | None], Iterator[Record]]


@dataclass(frozen=True)
class Format:
    """One format that ``economic-index import`` understands."""

    name: str
    about: str
    kinds: tuple[Kind, ...]
    read: Reader
    #: Do conversations carry a time: ``always``, ``never`` (``--started-at`` is needed) or ``sometimes``.
    times: Literal["always", "never", "sometimes"]
    has_accounts: bool
    #: Columns of Parquet and CSV files, or keys of JSONL rows, without which a file is of another format.
    required: tuple[str, ...] = ()


def made_id(prefix: str, path: Path, number: int) -> str:
    """Id of a conversation whose source has none: from the file name and its place, never from its text."""
    digest = blake2b(f"{path.name}\0{number}".encode("utf-8", "surrogatepass"), digest_size=8)
    return f"{prefix}-{digest.hexdigest()}"


def epoch_seconds(value: object) -> object:
    """Seconds since 1970 as an exact time; anything else is returned as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e13:
        return value
    return Epoch(int(value * 1_000_000))


def text_of(content: object) -> object:
    """Text of a message whose content is a text or a list of parts; parts that are not text are left out.

    Anything else is returned as it is, for the validator to name.
    """
    if not isinstance(content, list):
        return content
    parts = []
    for part in content:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            parts.append(part["text"])
    return "\n".join(parts)


def renamed_turns(
    items: object, roles: dict[str, str], role: str = "role", content: str = "content"
) -> object:
    """A list of turns with canonical keys and roles; what is not a list of objects is returned as it is."""
    if not isinstance(items, list):
        return items
    turns: list[object] = []
    for item in items:
        if isinstance(item, tuple):
            given, text = item
        elif isinstance(item, dict):
            given, text = item.get(role), item.get(content)
        else:
            return items
        name = roles.get(given, given) if isinstance(given, str) else given
        turns.append({"role": name, "content": text_of(text)})
    return turns


def first(values: Iterable[object]) -> object:
    """The first value that is neither None nor empty."""
    return next((value for value in values if value not in (None, "")), None)
