"""OASST2 message rows: one conversation for every message tree.

A tree branches; a conversation does not. From the first prompt on, the path follows the reply with the lowest
rank (0 is what reviewers liked best); replies without a rank come after, first those that people went on from
for longer, then in order of the file. Deleted messages are left out with everything below them. The person
who wrote the first prompt is the account.

This is the one format that is held in memory while it is read: trees may be spread over the file, and the
largest release has about 135,000 messages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from economic_index.sources.contract import MAX_TURNS, Reason
from economic_index.sources.files import Progress, Record, kind_of, read_jsonl, read_parquet
from economic_index.sources.formats.base import Format

_COLUMNS = (
    "message_id",
    "parent_id",
    "user_id",
    "created_date",
    "role",
    "lang",
    "text",
    "rank",
    "deleted",
    "model_name",
    "message_tree_id",
)
_ROLES = {"prompter": "user"}


@dataclass
class _Forest:
    """All messages of a file, in order of first appearance."""

    messages: dict[str, dict[str, object]] = field(default_factory=dict)
    replies: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    #: First prompts, once for every row that holds one.
    roots: list[str] = field(default_factory=list)


def read(path: Path, progress: Progress | None = None) -> Iterator[Record]:
    """One record for every first prompt, for every loose end of a thread, and for every unreadable row.

    A first prompt that stands in the file again is one more record, with the reason ``duplicate_id``; other
    messages that stand there again are the same message.
    """
    rows = (
        read_parquet(path, _COLUMNS, progress) if kind_of(path) == "parquet" else read_jsonl(path, progress)
    )
    forest = _Forest()
    for record in rows:
        if record.reason is not None:
            yield record
        elif not _add(forest, record.values):
            yield Record(reason=Reason.WRONG_TYPE)
    reached: set[str] = set()
    seen: set[str] = set()
    for root in forest.roots:
        values, deleted = _conversation(forest, root)
        reason = Reason.DUPLICATE_ID if root in seen else Reason.DELETED_AT_SOURCE if deleted else None
        seen.add(root)
        yield Record(values, reason)
    for root in seen:
        reached.update(_below(forest, root))
    yield from _loose_ends(forest, reached)


def _add(forest: _Forest, row: dict[str, object]) -> bool:
    identity, parent = row.get("message_id"), row.get("parent_id")
    if not isinstance(identity, str) or not (parent is None or isinstance(parent, str)):
        return False
    known = identity in forest.messages
    if not parent:
        forest.roots.append(identity)
    elif not known:
        forest.replies[parent].append(identity)
    if not known:
        forest.messages[identity] = {name: row.get(name) for name in _COLUMNS}
    return True


def _below(forest: _Forest, start: str) -> Iterator[str]:
    """The message and everything under it, each once, also when parents run in a circle."""
    stack, seen = [start], {start}
    while stack:
        identity = stack.pop()
        yield identity
        for reply in forest.replies.get(identity, ()):
            if reply not in seen:
                seen.add(reply)
                stack.append(reply)


def _conversation(forest: _Forest, root: str) -> tuple[dict[str, object], bool]:
    first = forest.messages[root]
    path = [root]
    while len(path) <= MAX_TURNS:
        alive = [r for r in forest.replies.get(path[-1], ()) if forest.messages[r].get("deleted") is not True]
        if not alive:
            break
        path.append(min(alive, key=lambda reply: _rank(forest.messages[reply])))
    turns = []
    model = None
    for identity in path:
        message = forest.messages[identity]
        role = message.get("role")
        turns.append(
            {
                "role": _ROLES.get(role, role) if isinstance(role, str) else role,
                "content": message.get("text"),
            }
        )
        model = model or message.get("model_name")
    values = {
        "conversation_id": root,
        "account_id": first.get("user_id"),
        "started_at": first.get("created_date"),
        "messages": turns,
        "model": model,
        "language": first.get("lang"),
    }
    return values, first.get("deleted") is True


def _rank(message: dict[str, object]) -> float:
    rank = message.get("rank")
    return float(rank) if isinstance(rank, int | float) and rank == rank else float("inf")


def _loose_ends(forest: _Forest, reached: set[str]) -> Iterator[Record]:
    """Messages without a way up to a first prompt: one record for each topmost one, or for each circle."""
    rest = [identity for identity in forest.messages if identity not in reached]
    tops = [
        identity for identity in rest if forest.messages[identity].get("parent_id") not in forest.messages
    ]
    for top in [*tops, *rest]:
        if top in reached:
            continue
        reached.update(_below(forest, top))
        message = forest.messages[top]
        values = {"conversation_id": top, "started_at": message.get("created_date")}
        yield Record(values, Reason.INCOMPLETE_THREAD)


OASST2 = Format(
    name="oasst2",
    about="OpenAssistant OASST1 and OASST2 message rows, JSONL or Parquet",
    kinds=("jsonl", "parquet"),
    read=read,
    times="always",
    has_accounts=True,
    required=("message_id", "parent_id"),
)
