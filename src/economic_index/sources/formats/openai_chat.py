"""Chat JSONL in the style of the OpenAI API: ``{"messages": [...]}`` a line, also inside a batch request.

System, developer and tool messages are not turns of the two people and are left out. ``user`` is the account,
``created`` (seconds since 1970) the time, when they are there. A row without an id gets one from its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from economic_index.sources.files import Progress, Record, read_jsonl
from economic_index.sources.formats.base import Format, epoch_seconds, first, made_id, text_of

_LEFT_OUT = frozenset({"system", "developer", "tool", "function"})


def read(path: Path, progress: Progress | None = None) -> Iterator[Record]:
    """One record a line."""
    for number, record in enumerate(read_jsonl(path, progress), start=1):
        yield record if record.reason else Record(_values(path, number, record.values))


def _values(path: Path, number: int, row: dict[str, object]) -> dict[str, object]:
    body = row.get("body")
    merged = {**row, **body} if isinstance(body, dict) else row
    usage = merged.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    identity = first(merged.get(name) for name in ("conversation_id", "id", "custom_id"))
    when = first(merged.get(name) for name in ("started_at", "created_at", "created", "timestamp"))
    return {
        "conversation_id": made_id("chat", path, number) if identity is None else identity,
        "account_id": first(merged.get(name) for name in ("account_id", "user", "user_id")),
        "started_at": epoch_seconds(when),
        "messages": _turns(merged.get("messages")),
        "model": merged.get("model"),
        "input_tokens": usage.get("prompt_tokens", usage.get("input_tokens")),
        "output_tokens": usage.get("completion_tokens", usage.get("output_tokens")),
    }


def _turns(items: object) -> object:
    if not isinstance(items, list):
        return items
    turns: list[object] = []
    for item in items:
        if not isinstance(item, dict):
            return items
        role, content = item.get("role"), item.get("content")
        if isinstance(role, str) and role in _LEFT_OUT:
            continue
        if content is None and role == "assistant":
            # A call of a tool or a refusal: the turn has no text of its own.
            content = item.get("refusal") or ""
        turns.append({"role": role, "content": text_of(content)})
    return turns


OPENAI = Format(
    name="openai",
    about='chat JSONL with {"messages": [...]} a line',
    kinds=("jsonl",),
    read=read,
    times="sometimes",
    has_accounts=True,
)
