"""Candidates for a summary: the same for the same text whatever stands beside it, ranked as the formula says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest

from economic_index import embeddings
from economic_index.labelling import retrieval
from economic_index.labelling.retrieval import OPENING, TaskIndex, opening
from economic_index.labelling.task_space import TaskSpace

VERBS = ("Write", "Check", "Repair", "Teach", "Plan", "Sell", "Count")
THINGS = ("letters", "engines", "lessons", "budgets", "gardens", "bridges", "medicines", "songs")
SEEN: list[str] = []


def encode(texts: Sequence[str], **_: object) -> np.ndarray:
    """A vector from every word, with digits enough that single precision matters."""
    SEEN.extend(texts)
    out = np.zeros((len(texts), 384), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().split():
            seed = int.from_bytes(hashlib.sha256(word.strip(".,").encode()).digest()[:4], "big")
            out[row] += np.random.default_rng(seed).normal(size=384).astype(np.float32)
        out[row] /= max(float(np.linalg.norm(out[row])), 1e-9)
    return out


@pytest.fixture(autouse=True)
def word_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    SEEN.clear()
    monkeypatch.setattr(embeddings, "encode", encode)


def space(copies: int = 6) -> TaskSpace:
    texts = [f"{verb} {thing} of kind {k}." for verb in VERBS for thing in THINGS for k in range(copies)]
    rows = [{"task_id": i + 1, "task": text} for i, text in enumerate(texts)]
    return TaskSpace.from_rows(rows, [{"task_id": i + 1, "soc_major_code": "11"} for i in range(len(texts))])


def queries(count: int) -> list[str]:
    return [
        f"{VERBS[i % 7]}s {THINGS[i % 8]} for somebody in case {i} and {THINGS[(i + 3) % 8]} too."
        for i in range(count)
    ]


def test_candidates_do_not_depend_on_the_texts_beside_them() -> None:
    index = TaskIndex(space())
    texts = queries(300)
    together = index.search(texts, 40)
    for i in (0, 1, 7, 255, 256, 299):
        assert index.search([texts[i]], 40) == [together[i]]
        assert index.search(texts[i:], 40)[0] == together[i]
    assert all(len(set(rows)) == 40 for rows in together)


def test_ranks_are_merged_as_the_formula_says() -> None:
    index = TaskIndex(space())
    text = "Repairs engines of kind 3."
    likeness = encode([opening(text)]) @ encode(list(index.space.texts)).T
    total = np.zeros(len(index.space.texts))
    for share, scores in ((1.0, likeness[0]), (0.8, index._by_words(text))):
        best = np.lexsort((np.arange(len(scores)), -scores))[:20]
        best = best[scores[best] > 0] if scores is not likeness[0] else best
        total[best] += share / (20 + np.arange(len(best)))
    wanted = np.lexsort((np.arange(len(total)), -total))[:10]
    got = index.search([text], 10)[0]
    assert index.space.texts[got[0]] == "Repair engines of kind 3."
    assert [round(total[row], 12) for row in got] == [round(total[row], 12) for row in wanted]


def test_only_the_opening_is_encoded_and_all_words_are_looked_up() -> None:
    index = TaskIndex(space())
    SEEN.clear()
    text = " ".join(["Works"] * OPENING) + " sell medicines"
    found = index.search([text], 12)[0]
    assert [len(seen.split()) for seen in SEEN] == [OPENING]
    assert any("medicines" in index.space.texts[row] for row in found), "BM25 reads to the end"


def test_an_opening_is_made_of_words_that_say_something() -> None:
    assert opening("Please help me to Repair the roof, and with what?") == "Repair roof,"
    assert opening("one two") == "one two" and opening("  ").strip() == ""
    assert opening("What is it?") == "What is it?", "nothing else is there"
    assert opening("de la casa") == "de la casa"


def test_few_tasks_and_empty_texts() -> None:
    index = TaskIndex(space(1))
    everything = len(index.space.texts)
    assert index.search([], 5) == []
    assert sorted(index.search([""], 10_000)[0]) == list(range(everything))
    rows = np.array([3, 9, 27], dtype=np.int64)
    assert sorted(index.nearest(["Teach songs"], rows, 10)[0]) == [3, 9, 27]
    assert index.nearest(["x"], rows[:0], 10) == [[]]
    assert retrieval._best(np.array([0.0, 2.0, 2.0, 1.0], dtype=np.float32), 2).tolist() == [1, 2]
