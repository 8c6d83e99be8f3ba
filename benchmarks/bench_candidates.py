"""Recall of the true task among the candidates of ``shortlist``, by how much of a text the encoder reads.

    python benchmarks/bench_candidates.py [--texts 1000]

The texts are the first messages of the sample's conversations (at most 300 characters), for which the true task
is known. ``0``: BM25 alone; ``all``: the whole text, function words included. CPU is that of the encoder, uncached,
a text.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

OPENINGS = (0, 4, 6, 10, 14, 22, 1_000)
DEPTHS = (10, 20, 40, 80, 135)
ROOT = Path(__file__).resolve().parents[1]


def tasks_of_sample() -> tuple[list[str], dict[int, int]]:
    """Distinct task statements, and the place of each task id."""
    places: dict[str, int] = {}
    of_id: dict[int, int] = {}
    with (ROOT / "seeds" / "sample" / "onet_task_statements.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            text = " ".join(row["task"].split())
            of_id[int(row["task_id"])] = places.setdefault(text, len(places))
    return list(places), of_id


def texts_of_sample(count: int, of_id: dict[int, int]) -> tuple[list[str], list[int]]:
    """(text, place of its true task), evenly spread over the sample."""
    conversations = {
        row["conversation_id"]: row["messages"]
        for row in pq.read_table(ROOT / "sample" / "conversations.parquet").to_pylist()
    }
    pairs = []
    for row in pq.read_table(ROOT / "sample" / "truth.parquet").to_pylist():
        turns = conversations.get(row["conversation_id"])
        if row["outcome"] == "classified" and row["task_id"] in of_id and turns:
            said = next(turn["content"] for turn in turns if turn["role"] == "user")
            pairs.append((said[:300], of_id[row["task_id"]]))
    step = max(1, len(pairs) // count)
    texts, places = zip(*pairs[::step][:count], strict=True)
    return list(texts), list(places)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=1_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ECONOMIC_INDEX_WAREHOUSE"] = folder
        os.environ.setdefault("ECONOMIC_INDEX_THREADS", "1")
        measure(given.texts)


def measure(count: int) -> None:
    from economic_index import embeddings
    from economic_index.labelling import retrieval
    from economic_index.labelling.task_space import TaskSpace

    statements, of_id = tasks_of_sample()
    rows = [{"task_id": place, "task": text} for place, text in enumerate(statements)]
    held = [{"task_id": place, "soc_major_code": "11"} for place in range(len(statements))]
    index = retrieval.TaskIndex(TaskSpace.from_rows(rows, held))
    texts, truth = texts_of_sample(count, of_id)
    print(f"{len(texts):,} texts, {len(statements):,} tasks\n")
    print(
        "| word pieces read | CPU ms a text | " + " | ".join(f"recall at {depth}" for depth in DEPTHS) + " |"
    )
    print("|" + "---|" * (len(DEPTHS) + 2))
    for words in OPENINGS:
        retrieval.OPENING = words
        if words == OPENINGS[-1]:
            retrieval.opening = str  # type: ignore[assignment]
        start = time.process_time()
        openings = [retrieval.opening(text) for text in texts]
        if words:
            embeddings.encode(openings, cache=False, precision="int8")
        cost = 1_000 * (time.process_time() - start) / len(texts)
        found = index.search(texts, max(DEPTHS)) if words else by_words(index, texts)
        ranks = np.array(
            [row.index(place) if place in row else 10**6 for row, place in zip(found, truth, strict=True)]
        )
        shares = " | ".join(f"{(ranks < depth).mean():.1%}" for depth in DEPTHS)
        print(f"| {'all' if words == OPENINGS[-1] else words} | {cost:.1f} | {shares} |", flush=True)


def by_words(index: object, texts: list[str]) -> list[list[int]]:
    from economic_index.labelling import retrieval

    assert isinstance(index, retrieval.TaskIndex)
    return [retrieval._best(index._by_words(text), max(DEPTHS)).tolist() for text in texts]


if __name__ == "__main__":
    main()
