"""Files of conversations and of labels, in the form of the project's development labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from economic_index.conversation import Conversation
from economic_index.engines.local.training_data import conversation_of, labels_of, read_lines
from economic_index.errors import UserError


@dataclass(frozen=True)
class Truth:
    """What one annotator says of one conversation; see ``training_data.Example`` for the first fields.

    ``task_id``: the task of the taxonomy in use, where the annotator chose one (``none`` allowed).
    """

    occupational: str | None
    soc_major: tuple[str, ...]
    pattern: str | None
    pattern_ok: tuple[str, ...]
    skills: tuple[str, ...] | None
    uses: Mapping[str, str]
    task_id: str | None


@dataclass(frozen=True)
class Labelled:
    """Conversations with the labels of one or more annotators, by name of the label file."""

    conversations: tuple[Conversation, ...]
    annotators: Mapping[str, Mapping[str, Truth]]


def read_labelled(conversations: Path, labels: Sequence[Path]) -> Labelled:
    """Read and check the files; conversations without any label are left out.

    Raises:
        UserError: a file that cannot be read or parsed, a repeated id, an unusable label, a label file that
            names a conversation the other file does not have, or nothing labelled at all.
    """
    known: dict[str, Conversation] = {}
    for number, row in enumerate(read_lines(conversations), 1):
        conversation = conversation_of(row, conversations, number)
        if conversation.conversation_id in known:
            raise UserError(
                f"Row {number} of {conversations} repeats a conversation_id; every id must stand once."
            )
        known[conversation.conversation_id] = conversation
    annotators: dict[str, dict[str, Truth]] = {}
    for path in labels:
        name = path.name if path.name not in annotators else str(path)
        annotators[name] = _read_labels(path, known, conversations)
    wanted = {name for truths in annotators.values() for name in truths}
    kept = tuple(conversation for name, conversation in known.items() if name in wanted)
    if not kept:
        raise UserError(
            f"There is no label for any conversation of {conversations}; name a file with labels."
        )
    return Labelled(kept, annotators)


def _read_labels(path: Path, known: Mapping[str, Conversation], conversations: Path) -> dict[str, Truth]:
    found: dict[str, Truth] = {}
    for number, row in enumerate(read_lines(path), 1):
        name = row.get("conversation_id")
        if not isinstance(name, str) or name not in known:
            raise UserError(
                f"Row {number} of {path} labels a conversation that {conversations} does not have."
            )
        if name in found:
            raise UserError(f"Row {number} of {path} repeats a conversation_id; every id must stand once.")
        found[name] = _truth(row, path, number)
    return found


def _truth(row: Mapping[str, Any], path: Path, number: int) -> Truth:
    labels = labels_of(row, path, number)
    del labels["task"]
    task = row.get("task_id")
    return Truth(**labels, task_id=None if task is None else str(task))
