"""Arena-Hard: prompts of Chatbot Arena users, with or without an answer; no accounts, no times.

Three shapes: one conversation a row (``conversation_id``, ``messages``), the questions of the first release
(``question_id``, ``turns``) and of the second (``uid``, ``prompt``). Questions alone are user turns.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from economic_index.sources.files import Progress, Record, read_jsonl
from economic_index.sources.formats.base import Format, first, renamed_turns, text_of


def read(path: Path, progress: Progress | None = None) -> Iterator[Record]:
    """One record a line."""
    for record in read_jsonl(path, progress):
        yield record if record.reason else Record(_values(record.values))


def _values(row: dict[str, object]) -> dict[str, object]:
    return {
        "conversation_id": first(row.get(name) for name in ("conversation_id", "question_id", "uid")),
        "messages": _messages(row),
        "model": row.get("model"),
        "language": row.get("language"),
    }


def _messages(row: dict[str, object]) -> object:
    if "messages" in row:
        return renamed_turns(row["messages"], {})
    turns = row.get("turns")
    if isinstance(turns, list):
        return [
            {"role": "user", "content": text_of(turn.get("content") if isinstance(turn, dict) else turn)}
            for turn in turns
        ]
    prompt = row.get("prompt")
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) else turns


ARENA_HARD = Format(
    name="arena-hard",
    about="Arena-Hard JSONL: questions, or questions with an answer",
    kinds=("jsonl",),
    read=read,
    times="never",
    has_accounts=False,
)
