"""Answers that the fake server is told to give, and what the labels must then be, worked out without the engine.

A ``Told`` is the truth about one conversation. From it come two things that have nothing in common but it: the
oracle of the fake server, and the table ``conversation_answers`` as it must turn out, written row by row from the
rules in docs/labelling.md. Nothing here calls an engine, a strategy or a prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from economic_index.testing.fake_messages import Oracle, fingerprint

ANSWERS = pa.schema(
    [
        ("conversation_id", pa.string()),
        ("facet", pa.string()),
        ("option_id", pa.string()),
        ("confidence", pa.float64()),
        ("status", pa.string()),
        ("reason", pa.string()),
    ]
)
PATTERNS = ("directive", "feedback_loop", "task_iteration", "learning", "validation", "none")
USES = ("explicitly", "likely", "possibly", "non")
SKILLS = ("writing", "science", "mathematics", "critical_thinking")
USE_FACETS = ("work_use", "coursework_use", "personal_use")


@dataclass(frozen=True)
class Told:
    """The truth about one conversation; ``task_id`` None: no task fits."""

    occupational: bool
    task_id: int | None = None
    pattern: str = "none"
    skills: tuple[str, ...] = ()
    uses: tuple[str, str, str] = ("non", "non", "non")


@dataclass(frozen=True)
class Talk:
    """A conversation that is to be labelled: its id and its first user message."""

    conversation_id: str
    first_message: str


def talks_to_label(private: Path) -> list[Talk]:
    """The conversations that a warehouse is about to have labelled, in the order of their ids."""
    with duckdb.connect(str(private), read_only=True) as link:
        rows = link.execute(
            "select conversation_id, list_filter(messages, m -> m.role = 'user')[1].content "
            "from facts.conversations_to_label order by conversation_id"
        ).fetchall()
    return [Talk(*row) for row in rows]


def told_by_truth(talks: Iterable[Talk], truth: Path) -> dict[str, Told]:
    """By fingerprint: what the sample's truth says; of conversations that begin alike the first one counts."""
    outcomes = ("classified", "none", "screened_out")
    known = {
        row["conversation_id"]: row
        for row in pq.read_table(truth).to_pylist()
        if row["outcome"] in outcomes and row["conversation_id"] is not None
    }
    told: dict[str, Told] = {}
    for talk in talks:
        row = known[talk.conversation_id]
        made = Told(
            row["outcome"] != "screened_out",
            row["task_id"] if row["outcome"] == "classified" else None,
            row["pattern"] or "none",
            tuple(row["skills"]),
            (row["work"], row["coursework"], row["personal"]),
        )
        told.setdefault(fingerprint(talk.first_message), made)
    return told


def told_by_draw(talks: Iterable[Talk], tasks: Iterable[int]) -> dict[str, Told]:
    """By fingerprint: labels drawn from the fingerprint alone, for conversations whose truth nobody knows.

    A tenth is screened out, a twentieth finds no task; tasks are drawn with a skew, so that some are published.
    """
    numbers = sorted(tasks, key=lambda number: sha256(f"order {number}".encode()).digest())
    told = {}
    for talk in talks:
        name = fingerprint(talk.first_message)
        draws = sha256(f"told {name}".encode()).digest()
        point = int.from_bytes(draws[:8], "big") / 2**64
        has_task = draws[8] % 20 != 0
        told[name] = Told(
            draws[9] % 10 != 0,
            numbers[int(len(numbers) * point**6)] if has_task else None,
            PATTERNS[draws[10] % 6],
            tuple(skill for place, skill in enumerate(SKILLS) if draws[11] >> place & 1),
            (USES[draws[12] % 4], USES[draws[13] % 4], USES[draws[14] % 4]),
        )
    return told


def oracle_of(told: Mapping[str, Told], private: Path) -> Oracle:
    """The server's knowledge: labels, and the texts on the way down to the task in the warehouse's hierarchy."""
    with duckdb.connect(str(private), read_only=True) as link:
        nodes = link.execute("select node_id, parent_node_id, name, task_id from reference.task_hierarchy")
        rows = nodes.fetchall()
        texts = dict(link.execute("select task_id, task from reference.tasks").fetchall())
    above = {node: parent for node, parent, _, _ in rows}
    name_of = {node: name for node, _, name, _ in rows}
    base_of = {task: node for node, _, _, task in rows if task is not None}
    oracle = Oracle()
    for name, said in told.items():
        right = {"None of these"}
        if said.task_id is not None:
            right = {texts[said.task_id]}
            node = above[base_of[said.task_id]]
            while node is not None:
                right.add(name_of[node])
                node = above[node]
        facets: dict[str, str | list[str]] = {
            "occupational": "yes" if said.occupational else "no",
            "collaboration_pattern": said.pattern,
            "skill": list(said.skills),
            **dict(zip(USE_FACETS, said.uses, strict=True)),
        }
        oracle.rows[name] = _row(facets, right)
    return oracle


def _row(facets: Mapping[str, str | list[str]], right: Iterable[str]) -> Any:
    from economic_index.testing.fake_messages import OracleRow

    return OracleRow(facets, frozenset(" ".join(text.split()) for text in right))


def expected_answers(talks: Iterable[Talk], told: Mapping[str, Told]) -> pa.Table:
    """``conversation_answers`` as it must be, whatever the strategy; confidences are left out."""
    rows: list[tuple[str, str, str | None]] = []
    for talk in talks:
        said = told[fingerprint(talk.first_message)]
        rows.append((talk.conversation_id, "occupational", "yes" if said.occupational else "no"))
        if not said.occupational:
            continue
        rows.append((talk.conversation_id, "task", "none" if said.task_id is None else str(said.task_id)))
        rows.append((talk.conversation_id, "collaboration_pattern", said.pattern))
        rows += [(talk.conversation_id, "skill", skill) for skill in said.skills or (None,)]
        rows += [(talk.conversation_id, facet, use) for facet, use in zip(USE_FACETS, said.uses, strict=True)]
    return pa.Table.from_pylist(
        [
            {"conversation_id": name, "facet": facet, "option_id": option, "status": "ok"}
            for name, facet, option in rows
        ],
        schema=ANSWERS,
    )


#: Takes the place of python_models/labelling/conversation_answers.py in the project of an expectation.
EXPECTED_MODEL = """-- Grain: one row per conversation, facet and chosen option, as the server was told.
select * from read_parquet('{{ env_var("TOLD_ANSWERS") }}')
"""


def expect_in(project: Path) -> None:
    """Replace the labelling model of a copy of the project by the expected answers (TOLD_ANSWERS)."""
    folder = project / "python_models" / "labelling"
    (folder / "conversation_answers.py").unlink()
    (folder / "conversation_answers.sql").write_text(EXPECTED_MODEL, encoding="utf-8")
