"""Labelled conversations to learn from: those that ship with the project, and a user's own."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from economic_index.conversation import Conversation, Message
from economic_index.errors import UserError

FOLDER = Path(__file__).with_name("training")
LEVELS = ("explicitly", "likely", "possibly", "non")
PATTERNS = ("directive", "feedback_loop", "task_iteration", "learning", "validation", "none")
USES = ("work", "coursework", "personal")


@dataclass(frozen=True)
class Example:
    """A conversation with its labels; None or empty where a labeller said nothing.

    ``soc_major``: accepted 2-digit groups, best first. ``pattern_ok``: every accepted pattern. ``task``: one
    sentence.
    ``uses``: level by ``work``, ``coursework``, ``personal``.
    """

    conversation: Conversation
    occupational: str | None
    soc_major: tuple[str, ...]
    pattern: str | None
    pattern_ok: tuple[str, ...]
    skills: tuple[str, ...] | None
    task: str
    uses: Mapping[str, str]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file, plain or gzipped.

    Raises:
        UserError: the file cannot be read, or a line is not a JSON object.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        lines = content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"The file {path} cannot be read: {error.strerror or 'it is damaged'}.") from None
    except (EOFError, UnicodeDecodeError):
        raise UserError(f"The file {path} is neither JSON Lines in UTF-8 nor gzipped JSON Lines.") from None
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise UserError(f"Line {number} of {path} is not a JSON object; every line must be one.")
        rows.append(row)
    return rows


def conversation_of(row: Mapping[str, Any], path: Path, number: int) -> Conversation:
    """The conversation of a row with ``conversation_id`` and ``messages``.

    Raises:
        UserError: no id, or messages that are not a list of {role, content} with at least one by the user.
    """
    name, messages = row.get("conversation_id"), row.get("messages")
    try:
        turns = tuple(Message(str(m["role"]), m["content"]) for m in messages or ())
        sound = all(m.role in ("user", "assistant") and isinstance(m.content, str) for m in turns)
        if not isinstance(name, str) or not name or not sound or not any(m.role == "user" for m in turns):
            raise TypeError
    except (TypeError, KeyError):
        raise UserError(
            f"Row {number} of {path} is not a conversation; it needs conversation_id and messages, a list of "
            "{role: user or assistant, content} with at least one by the user."
        ) from None
    return Conversation(name, turns)


def labels_of(row: Mapping[str, Any], path: Path, number: int) -> dict[str, Any]:
    """The labels of a row in the form of ``Example``'s fields, each checked.

    Raises:
        UserError: a label has a value that the registry does not have.
    """

    def wrong(what: str, allowed: str) -> UserError:
        return UserError(f"Row {number} of {path} has an unusable {what!r}; use {allowed}.")

    occupational = row.get("occupational")
    if occupational not in (None, "yes", "no"):
        raise wrong("occupational", "yes or no")
    majors = row.get("soc_major") or []
    if not isinstance(majors, list) or any(
        not isinstance(m, str) or len(m) != 2 or not m.isdigit() for m in majors
    ):
        raise wrong("soc_major", "a list of 2-digit SOC major groups as text")
    pattern, accepted = row.get("pattern"), row.get("pattern_ok") or []
    if (
        pattern not in (None, *PATTERNS)
        or not isinstance(accepted, list)
        or not set(accepted) <= set(PATTERNS)
    ):
        raise wrong("pattern", ", ".join(PATTERNS))
    skills = row.get("skills")
    if skills is not None and (not isinstance(skills, list) or any(not isinstance(s, str) for s in skills)):
        raise wrong("skills", "a list of O*NET skills")
    uses = {use: row[use] for use in USES if row.get(use) is not None}
    if any(level not in LEVELS for level in uses.values()):
        raise wrong("work, coursework or personal", ", ".join(LEVELS))
    return {
        "occupational": occupational,
        "soc_major": tuple(majors),
        "pattern": pattern,
        "pattern_ok": tuple(accepted),
        "skills": None if skills is None else tuple(sorted({skill_id(s) for s in skills})),
        "task": str(row.get("task") or ""),
        "uses": uses,
    }


def skill_id(name: str) -> str:
    """``Reading comprehension`` as the registry's option id ``reading_comprehension``."""
    return "_".join(name.lower().split())


def shipped_examples(folder: Path = FOLDER) -> list[Example]:
    """The conversations that were written for this project, in the order of files and lines."""
    return [example for path in sorted(folder.glob("*.jsonl")) for example in _examples(path)]


def _examples(path: Path) -> list[Example]:
    rows = read_lines(path)
    return [
        Example(conversation_of(row, path, number), **labels_of(row, path, number))
        for number, row in enumerate(rows, 1)
    ]


def user_examples(conversations: Path, labels: Sequence[Path]) -> list[Example]:
    """A user's own conversations with labels; several label files give several examples of a conversation.

    Raises:
        UserError: an unreadable file, a label without a conversation, or no label at all.
    """
    known = {}
    for number, row in enumerate(read_lines(conversations), 1):
        conversation = conversation_of(row, conversations, number)
        known[conversation.conversation_id] = conversation
    found = []
    for path in labels:
        for number, row in enumerate(read_lines(path), 1):
            name = row.get("conversation_id")
            if name not in known:
                raise UserError(
                    f"Row {number} of {path} labels a conversation that {conversations} does not have."
                )
            found.append(Example(known[str(name)], **labels_of(row, path, number)))
    if not found:
        raise UserError(
            f"There is no label for any conversation of {conversations}; name a file with labels."
        )
    return found


def digest_of(examples: Iterable[Example]) -> str:
    """SHA-256 (64 hex digits) over contents and labels, in order."""
    digest = sha256()
    for example in examples:
        labels = (
            example.occupational,
            example.soc_major,
            example.pattern,
            example.pattern_ok,
            example.skills,
            example.task,
            sorted(example.uses.items()),
        )
        digest.update(f"{example.conversation.content_hash}{labels!r}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
