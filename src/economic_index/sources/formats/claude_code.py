"""Claude Code session logs: JSONL, one file a session, one conversation for every session id in it.

What the person typed and what the assistant wrote is kept, neighbouring entries of one side joined to one
turn. A tool call leaves its name only, as ``[tool: Bash]``; results of tools, thinking, side chains of
sub-agents, injected remarks and summaries are left out. The logs hold no account.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from economic_index.sources.contract import MAX_MESSAGE_BYTES, Reason
from economic_index.sources.files import Progress, Record, read_jsonl
from economic_index.sources.formats.base import Format, made_id


@dataclass
class _Session:
    started_at: object = None
    model: object = None
    turns: list[tuple[str, list[str]]] = field(default_factory=list)
    #: (input, output) tokens by message id: the entries of one message repeat its usage.
    usage: dict[object, tuple[int, int]] = field(default_factory=dict)
    characters: int = 0


def read(path: Path, progress: Progress | None = None) -> Iterator[Record]:
    """One record for every session, and one for every line that cannot be read."""
    sessions: dict[str, _Session] = {}
    n_lines = 0
    for record in read_jsonl(path, progress):
        n_lines += 1
        if record.reason:
            yield record
        else:
            _add(sessions, record.values)
    for identity, session in sessions.items():
        yield Record(_values(identity, session))
    if n_lines and not sessions:
        # Summaries alone: a session that was opened and left.
        yield Record({"conversation_id": made_id("session", path, 0)}, Reason.NO_MESSAGES)


def _add(sessions: dict[str, _Session], entry: dict[str, object]) -> None:
    kind, identity, message = entry.get("type"), entry.get("sessionId"), entry.get("message")
    if kind not in ("user", "assistant") or not isinstance(identity, str):
        return
    session = sessions.setdefault(identity, _Session())
    if session.started_at is None:
        session.started_at = entry.get("timestamp")
    if entry.get("isSidechain") is True or entry.get("isMeta") is True or not isinstance(message, dict):
        return
    if kind == "assistant":
        _add_usage(session, message)
    text = _text(message.get("content"))
    # Beyond the limit of the contract the validator says too_large; there is no use in holding more.
    if not text or session.characters > 2 * MAX_MESSAGE_BYTES:
        return
    session.characters += len(text)
    if session.turns and session.turns[-1][0] == kind:
        session.turns[-1][1].append(text)
    else:
        session.turns.append((str(kind), [text]))


def _add_usage(session: _Session, message: dict[str, object]) -> None:
    model, usage = message.get("model"), message.get("usage")
    if isinstance(model, str) and not model.startswith("<"):
        session.model = model
    if not isinstance(usage, dict):
        return
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    counts = [_count(usage.get(name)) for name in names]
    session.usage[str(message.get("id"))] = (sum(counts), _count(usage.get("output_tokens")))


def _count(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**40 else 0


def _text(content: object) -> str:
    if isinstance(content, str):
        return content.strip()
    parts = []
    for block in content if isinstance(content, list) else ():
        if not isinstance(block, dict):
            continue
        if block.get("type") == "text" and isinstance(block.get("text"), str):
            parts.append(block["text"].strip())
        elif block.get("type") == "tool_use" and isinstance(block.get("name"), str):
            parts.append(f"[tool: {block['name'][:60]}]")
    return "\n".join(part for part in parts if part)


def _values(identity: str, session: _Session) -> dict[str, object]:
    tokens = list(session.usage.values())
    return {
        "conversation_id": identity,
        "started_at": session.started_at,
        "messages": [{"role": role, "content": "\n".join(texts)} for role, texts in session.turns],
        "model": session.model,
        "product": "claude-code",
        "input_tokens": sum(t[0] for t in tokens) if tokens else None,
        "output_tokens": sum(t[1] for t in tokens) if tokens else None,
    }


CLAUDE_CODE = Format(
    name="claude-code",
    about="Claude Code session JSONL",
    kinds=("jsonl",),
    read=read,
    times="always",
    has_accounts=False,
)
