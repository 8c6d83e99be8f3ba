"""Read the taxonomy seeds outside dbt, with the same rules as models/reference."""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

from economic_index.errors import UserError
from economic_index.taxonomy.score import Link


def read_tasks(folder: Path) -> list[tuple[int, str, str]]:
    """Tasks (task_id, text, task_key) of a seed folder: one per distinct text, as the model ``tasks`` has
    them.

    Raises:
        UserError: the folder has no task statements.
    """
    return sorted({(task_id, text, key) for task_id, text, key in _by_statement(folder).values()})


def read_holders(folder: Path) -> list[tuple[int, str, int]]:
    """Distinct (task_id, occupation, official Task ID) triples: who holds which task, and under which official id."""
    placed = _by_statement(folder)
    return sorted({(task_id, code, own) for (code, own), (task_id, _, _) in placed.items()})


def read_activities(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Rows of ``dwa_reference`` and ``tasks_to_dwas`` with the names that the staging models give their columns."""
    links = _rows(folder / "onet_tasks_to_dwas.csv")
    return {
        "dwa_reference": _rows(folder / "onet_dwa_reference.csv"),
        "tasks_to_dwas": [{"onet_task_id": row["task_id"], "dwa_id": row["dwa_id"]} for row in links],
    }


def read_links(folder: Path) -> list[Link]:
    """Official links of tasks to work activities, distinct and sorted; statements without one have none."""
    task_of = _by_statement(folder)
    activities = {row["dwa_id"]: row for row in _rows(folder / "onet_dwa_reference.csv")}
    links = set()
    for row in _rows(folder / "onet_tasks_to_dwas.csv"):
        task = task_of.get((row["onet_soc_code"], int(row["task_id"])))
        activity = activities.get(row["dwa_id"])
        if task is not None and activity is not None:
            links.add(Link(task[0], row["dwa_id"], activity["iwa_id"], activity["element_id"]))
    return sorted(links, key=lambda link: (link.task_id, link.dwa))


def _by_statement(folder: Path) -> dict[tuple[str, int], tuple[int, str, str]]:
    """(occupation, official Task ID) to (task_id, text, task_key), for the statements that can be placed."""
    known = {row["onet_soc_code"] for row in _rows(folder / "onet_occupations.csv")}
    placed: dict[tuple[str, int], tuple[str, str]] = {}
    for row in _rows(folder / "onet_task_statements.csv"):
        text = re.sub(r"[ \t\n\v\f\r]+", " ", row["task"]).strip(" ")
        if not text or row["onet_soc_code"] not in known:
            continue
        key = hashlib.md5(text.lower().encode(), usedforsecurity=False).hexdigest()
        statement = (row["onet_soc_code"], int(row["task_id"]))
        placed[statement] = min(placed.get(statement, (key, text)), (key, text))
    first: dict[str, tuple[int, str, str]] = {}
    for (code, task_id), (key, text) in placed.items():
        first[key] = min(first.get(key, (task_id, code, text)), (task_id, code, text))
    return {statement: (first[key][0], first[key][2], key) for statement, (key, _) in placed.items()}


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise UserError(
            f"{path} does not exist; ECONOMIC_INDEX_TAXONOMY must name a folder of taxonomy seeds."
        )
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
