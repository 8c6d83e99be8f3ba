"""How often a further task of the local engine is the true one, by how probable it is beside the best task.

``python benchmarks/several_tasks.py [--conversations 3000]`` after a build of the sample: where a further task is right
about as often as the best one, the two cannot be told apart, which is what ``FURTHER_TASK_RATIO`` is chosen by.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise

import duckdb
import numpy as np

from economic_index.conversation import Conversation, Message
from economic_index.engines.local import engine as local
from economic_index.labelling.candidates import EmbeddingCandidates
from economic_index.labelling.strategies import TASK, FieldMaker, Labelled, Shortlist, Strategy, Tree
from economic_index.labelling.task_space import NONE, TaskSpace
from economic_index.paths import private_database, project_root

BOUNDS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=3_000)
    most = parser.parse_args().conversations
    local.FURTHER_TASK_RATIO = 0.0
    with duckdb.connect(str(private_database()), read_only=True) as link:
        tables = [
            link.execute(f"select * from reference.{name}").to_arrow_table().to_pylist()
            for name in ("tasks", "task_occupations", "task_hierarchy")
        ]
        asked = link.execute(
            "select conversation_id, messages from facts.conversations_to_label "
            f"order by md5(conversation_id) limit {most}"
        ).fetchall()
    space = TaskSpace.from_rows(*tables)
    truth = dict(
        duckdb.execute(
            "select conversation_id, cast(task_id as varchar) from read_parquet(?) where outcome = 'classified'",
            [str(project_root() / "sample" / "truth.parquet")],
        ).fetchall()
    )
    talks = [
        Conversation(name, tuple(Message(m["role"], m["content"]) for m in messages))
        for name, messages in asked
        if name in truth
    ]
    engine = local.LocalEngine(space)
    strategies: list[Strategy] = [
        Tree(space, FieldMaker(), 3),
        Shortlist(space, EmbeddingCandidates(engine), 3),
    ]
    for strategy in strategies:
        print(
            f"\n{strategy.name}, {len(talks):,} conversations\n{'probability':<14}{'n':>7}{'further right':>15}{'best right':>12}"
        )
        found = further_tasks(strategy, engine, talks, truth)
        for low, high in pairwise(BOUNDS):
            rows = found[(found[:, 0] >= low) & (found[:, 0] < high)]
            if len(rows):
                print(
                    f"{low:4.2f} to {high:4.2f}  {len(rows):>7,}{rows[:, 1].mean():>15.3f}{rows[:, 2].mean():>12.3f}"
                )


def further_tasks(
    strategy: Strategy, engine: local.LocalEngine, talks: Sequence[Conversation], truth: dict[str, str]
) -> np.ndarray:
    """One row per further task: probability over that of the best, is it the true one, is the best the true one."""
    items = [Labelled(talk) for talk in talks]
    step = 0
    while asked := strategy.requests(items, step):
        answers = dict(engine.answers([request for _, request in asked]))
        for place, (item, request) in enumerate(asked):
            strategy.take(item, request, answers[place])
        step += 1
    rows = []
    for item in items:
        chosen, right = item.answers[TASK].values[TASK], truth[item.conversation.conversation_id]
        if chosen.options != (NONE,):
            best, *others = zip(chosen.options, chosen.confidences, strict=True)
            rows += [(p / max(best[1], 1e-9), task == right, best[0] == right) for task, p in others]
    return np.array(rows, dtype=np.float64)


if __name__ == "__main__":
    main()
