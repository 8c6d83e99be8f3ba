"""A labelling run in a process of its own, so that a test can kill it: prints nothing, writes the labels as
CSV.

``python anthropic_child.py MODE STRATEGY FOLDER COUNT``; the server comes from ANTHROPIC_BASE_URL.
"""

from __future__ import annotations

import csv
import os
import sys
from dataclasses import replace
from pathlib import Path

from economic_index.conversation import Conversation, Message
from economic_index.engines.anthropic import AnthropicEngine, make_settings
from economic_index.engines.ledger import Ledger
from economic_index.labelling.compact import Compact
from economic_index.labelling.labels import label_conversations
from economic_index.labelling.strategies import FieldMaker, Strategy, Tree
from economic_index.labelling.task_space import TaskSpace
from economic_index.registry import read_registry

CONCURRENCY = 16


def small_space() -> TaskSpace:
    tasks, occupations, tree = [], [], []
    for top in range(3):
        tree.append({"node_id": f"t{top}", "parent_node_id": None, "name": f"Top {top}", "task_id": None})
        for middle in range(3):
            own = f"m{top}{middle}"
            name = f"Middle {top} {middle}"
            tree.append({"node_id": own, "parent_node_id": f"t{top}", "name": name, "task_id": None})
            for base in range(4):
                task = 1 + base + 4 * middle + 12 * top
                text = f"Handle matter {task}."
                tasks.append({"task_id": task, "task": text})
                occupations.append({"task_id": task, "soc_major_code": str(11 + 2 * top)})
                tree.append({"node_id": f"b{task}", "parent_node_id": own, "name": text, "task_id": task})
    return TaskSpace.from_rows(tasks, occupations, tree)


def talks(count: int) -> list[Conversation]:
    return [
        Conversation(
            f"c{i}",
            (Message("user", f"Please handle matter {i % 36} of case {i}."), Message("assistant", "Ok.")),
        )
        for i in range(count)
    ]


def main(mode: str, strategy_name: str, folder: str, count: str) -> None:
    home = Path(folder)
    settings = make_settings({"default": "claude-haiku-4-5"}, mode, state=home / "batches.sqlite")
    fast = {"backoff": 0.01, "longest_backoff": 0.1, "poll": 0.05, "longest_poll": 0.1, "batch_requests": 60}
    settings = replace(settings, concurrency=CONCURRENCY, **fast)  # type: ignore[arg-type]
    facets = {
        k: v for k, v in read_registry().items() if k in ("occupational", "collaboration_pattern", "task")
    }
    space, fields = small_space(), FieldMaker()
    strategy: Strategy = Tree(space, fields)
    if strategy_name == "compact":
        strategy = Compact(space, fields, facets)
    partial = home / f"labels.{os.getpid()}.csv"
    with (
        AnthropicEngine(settings) as engine,
        Ledger(home / "answers.sqlite") as ledger,
        partial.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        for batch in label_conversations(talks(int(count)), facets, engine, ledger, strategy, fields):
            writer.writerows(tuple(row.values()) for row in batch.to_pylist())
    partial.replace(home / "labels.csv")


if __name__ == "__main__":
    main(*sys.argv[1:])
