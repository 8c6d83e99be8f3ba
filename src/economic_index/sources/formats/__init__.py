"""The formats that ``economic-index import`` turns into the input contract, and how they are recognised."""

from __future__ import annotations

from pathlib import Path

from economic_index.errors import UserError
from economic_index.sources.files import column_names, kind_of, peek_jsonl
from economic_index.sources.formats.arena_hard import ARENA_HARD
from economic_index.sources.formats.base import Format
from economic_index.sources.formats.canonical import CANONICAL
from economic_index.sources.formats.claude_ai import CLAUDE_AI
from economic_index.sources.formats.claude_code import CLAUDE_CODE
from economic_index.sources.formats.oasst2 import OASST2
from economic_index.sources.formats.openai_chat import OPENAI
from economic_index.sources.formats.public_parquet import LMSYS, WILDCHAT

FORMATS: dict[str, Format] = {
    item.name: item
    for item in (CANONICAL, OASST2, ARENA_HARD, WILDCHAT, LMSYS, CLAUDE_AI, CLAUDE_CODE, OPENAI)
}
_ALIASES = {"parquet": "canonical", "jsonl": "canonical", "csv": "canonical"}

#: The first set of columns or keys that a file has names its format.
_SIGNS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"message_tree_id", "parent_id"}), "oasst2"),
    (frozenset({"conversation_hash", "conversation"}), "wildchat"),
    (frozenset({"conversation_id", "conversation"}), "lmsys"),
    (frozenset({"conversation_id", "messages", "started_at"}), "canonical"),
    (frozenset({"conversation_id", "messages", "cluster"}), "arena-hard"),
    (frozenset({"turns"}), "arena-hard"),
    (frozenset({"uid", "prompt"}), "arena-hard"),
    (frozenset({"sessionId", "type"}), "claude-code"),
    (frozenset({"summary", "leafUuid"}), "claude-code"),
    (frozenset({"messages"}), "openai"),
    (frozenset({"body", "custom_id"}), "openai"),
)


def format_named(name: str) -> Format | None:
    """The format of a name, or None for ``auto``.

    Raises:
        UserError: there is no such format.
    """
    if name == "auto":
        return None
    found = FORMATS.get(_ALIASES.get(name, name))
    if found is None:
        raise UserError(f"There is no import format {name!r}; use auto or one of {', '.join(FORMATS)}.")
    return found


def detect(path: Path) -> Format:
    """The format of a file, by its type and its columns or the keys of its first rows.

    Raises:
        UserError: it cannot be told, or the file cannot be read.
    """
    kind = kind_of(path)
    if kind in CLAUDE_AI.kinds:
        return CLAUDE_AI
    if kind is not None:
        # Some formats mix rows of several kinds: keys that occur together in one row say more than all of
        # them.
        rows = [set(record.values) for record in peek_jsonl(path)] if kind == "jsonl" else []
        columns = [column_names(path) or set()] if kind != "jsonl" else rows
        for signs, name in _SIGNS:
            if any(signs <= present for present in columns) and kind in FORMATS[name].kinds:
                return FORMATS[name]
    raise UserError(
        f"The format of the file {path} cannot be told; name it with --format ({', '.join(FORMATS)})."
    )
