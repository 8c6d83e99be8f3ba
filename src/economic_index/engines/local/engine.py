"""The ``local`` engine: no key, no network. It reads a conversation once and answers every question from
that reading."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from economic_index import embeddings
from economic_index.conversation import Conversation
from economic_index.embeddings import MODEL_ID
from economic_index.engines.base import Answer, Chosen, Field, Option, Request
from economic_index.engines.local.artefact import Artefact, load
from economic_index.engines.local.reader import Encode, Reading, read
from economic_index.engines.local.tasks import TaskIndex, TaskScores
from economic_index.labelling.task_space import NONE, TaskSpace

Array = NDArray[np.float32]

#: Raise it when the rules below change an answer.
ENGINE_VERSION = 1
#: The field whose options are tasks or hierarchy nodes.
TASK_FIELD = "task"
#: Conversations read at once; the score matrices of 17,535 tasks then take about 70 MB each.
BLOCK = 256
#: Readings kept for the next round of the same conversations.
KEPT = 1_024
#: Softness of the comparison of a conversation with the options of a facet that no head knows.
ZERO_SHOT_SPREAD = 0.07
ZERO_SHOT_MULTI = 0.35
#: Below this cosine no statement resembles the conversation at all: the answer is 'none'.
NOTHING_RESEMBLES = 0.06
#: Where several tasks may be answered: a further task is at least so likely as this share of the best one.
FURTHER_TASK_RATIO = 0.5
MAX_TASKS = 3
#: Digests of fields kept.
_KEPT_FIELDS = 4_096


class LocalEngine:
    """Answers from a fitted artefact, sentence embeddings and, for tasks, the statements of a task space."""

    name = "local"

    def __init__(
        self, space: TaskSpace | None = None, artefact: Artefact | None = None, encode: Encode | None = None
    ) -> None:
        """``space``: needed only to answer questions about tasks. ``artefact``: the one in use by default."""
        self.artefact = artefact or load()
        self.space = space
        self._encode: Encode = encode or embeddings.encode
        self._index: TaskIndex | None = None
        self._option_vectors: dict[tuple[str, ...], Array] = {}
        self._kept: OrderedDict[str, _Known] = OrderedDict()
        self._fields: OrderedDict[int, tuple[Field, bytes]] = OrderedDict()
        self._lock = Lock()

    def key(self, request: Request) -> bytes:
        """SHA-256 of engine version, artefact, encoder, conversation content and what is asked with which
        options.

        The order of the options is no part of it: this engine does not see it.
        """
        digest = sha256(f"local/{ENGINE_VERSION}/{self.artefact.digest}/{MODEL_ID}/".encode())
        digest.update(request.conversation.content_hash.encode())
        for asked in request.fields:
            digest.update(self._field_digest(asked))
        return digest.digest()

    def _field_digest(self, asked: Field) -> bytes:
        # By identity: strategies share their fields, and hashing forty statements per request would cost
        # more.
        known = self._fields.get(id(asked))
        if known is not None and known[0] is asked:
            return known[1]
        parts = sorted((o.id, o.text, o.description) for o in asked.options)
        digest = sha256(
            repr((asked.name, asked.question, asked.answer_type, parts)).encode("utf-8", "replace")
        )
        if asked.name == TASK_FIELD and self.space is not None:
            digest.update(self.space.fingerprint)
        self._fields[id(asked)] = (asked, digest.digest())
        if len(self._fields) > _KEPT_FIELDS:
            self._fields.popitem(last=False)
        return digest.digest()

    def identity(self) -> Mapping[str, str]:
        """Engine, version, artefact and encoder."""
        return {
            "engine": self.name,
            "version": str(ENGINE_VERSION),
            "artefact": self.artefact.digest,
            "encoder": MODEL_ID,
        }

    def answers(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Answer in blocks of conversations, so that reading and comparing are matrix products."""
        by_content: dict[str, list[int]] = {}
        for position, request in enumerate(requests):
            by_content.setdefault(request.conversation.content_hash, []).append(position)
        contents = list(by_content)
        with self._lock:
            for start in range(0, len(contents), BLOCK):
                part = contents[start : start + BLOCK]
                about_tasks = any(
                    asked.name == TASK_FIELD
                    for c in part
                    for p in by_content[c]
                    for asked in requests[p].fields
                )
                known = self._read([requests[by_content[c][0]].conversation for c in part], about_tasks)
                for content in part:
                    for position in by_content[content]:
                        yield position, self._answer(requests[position], known[content])

    def read_conversations(self, conversations: Sequence[Conversation]) -> Reading:
        """The reading of a block (for candidates and validation)."""
        return read(conversations, self.artefact, self._encode)

    def rankings(self, conversations: Sequence[Conversation]) -> tuple[Array, Array, Array]:
        """Scores of every task, each (n, tasks): fitted probability, cosine of what was written, BM25."""
        with self._lock:
            known = self._read(conversations, True)
        index = self.task_index()
        held = [known[c.content_hash] for c in conversations]
        fitted = np.stack([k.scores.sharp_tasks[k.scores_row] for k in held if k.scores is not None])
        raw = np.stack([k.reading.raw[k.row] for k in held])
        return fitted, raw @ index.vectors.T, index.words(conversations)

    def task_index(self) -> TaskIndex:
        """The statements of the task space, embedded on first use."""
        if self.space is None:
            raise RuntimeError("a question about tasks needs a task space")
        if self._index is None:
            self._index = TaskIndex(self.space, self.artefact, self._encode)
        return self._index

    def _read(self, conversations: Sequence[Conversation], about_tasks: bool) -> dict[str, _Known]:
        known = {
            c.content_hash: self._kept[c.content_hash] for c in conversations if c.content_hash in self._kept
        }
        unread = [c for c in conversations if c.content_hash not in known]
        if unread:
            reading = self.read_conversations(unread)
            for row, conversation in enumerate(unread):
                held = _Known(reading, row)
                known[conversation.content_hash] = self._kept[conversation.content_hash] = held
        unscored = [c for c in conversations if known[c.content_hash].scores is None] if about_tasks else []
        if unscored:
            self._score(unscored, [known[c.content_hash] for c in unscored])
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return known

    def _score(self, conversations: Sequence[Conversation], known: Sequence[_Known]) -> None:
        group = np.stack([k.reading.heads["soc_major"][k.row] for k in known])
        raw, task = (
            np.stack([k.reading.raw[k.row] for k in known]),
            np.stack([k.reading.task[k.row] for k in known]),
        )
        scores = self.task_index().score(conversations, Reading({"soc_major": group}, raw, task))
        for row, held in enumerate(known):
            held.scores, held.scores_row = scores, row

    def _answer(self, request: Request, known: _Known) -> Answer:
        values: dict[str, Chosen] = {}
        for asked in request.fields:
            chosen = self._field(asked, known)
            if chosen is None:
                return Answer("invalid", reason="numbers_need_a_language_model")
            values[asked.name] = chosen
        return Answer("ok", values)

    def _field(self, asked: Field, known: _Known) -> Chosen | None:
        if asked.name == TASK_FIELD:
            return self._task(asked, known)
        if asked.answer_type == "number":
            return None
        head = self.artefact.heads.get(asked.name)
        offered = {option.id for option in asked.options}
        if head is None or not offered & set(head.classes):
            return self._zero_shot(asked, known)
        probabilities = known.reading.heads[asked.name][known.row]
        if head.kind == "multi":
            picked = [
                (name, float(p))
                for name, p, t in zip(head.classes, probabilities, head.thresholds, strict=True)
                if p >= t and name in offered
            ]
            picked.sort(key=lambda pair: (-pair[1], pair[0]))
            return Chosen(tuple(n for n, _ in picked), tuple(round(p, 4) for _, p in picked))
        pairs = [
            (float(p), name) for name, p in zip(head.classes, probabilities, strict=True) if name in offered
        ]
        return _best(pairs)

    def _task(self, asked: Field, known: _Known) -> Chosen:
        scores = known.scores
        if scores is None:
            raise RuntimeError("task question without task scores")
        index, row = self.task_index(), known.scores_row
        places: list[tuple[str, float, float]] = []
        for option in asked.options:
            if option.id in index.node_position:
                column = index.node_position[option.id]
                places.append(
                    (option.id, float(scores.sharp_nodes[row, column]), float(scores.nodes[row, column]))
                )
            elif option.id in index.space.position:
                column = index.space.position[option.id]
                places.append(
                    (option.id, float(scores.sharp_tasks[row, column]), float(scores.tasks[row, column]))
                )
        offers_none = any(option.id == NONE for option in asked.options)
        total = sum(plain for _, _, plain in places)
        if offers_none and (not places or float(scores.nearest[row]) < NOTHING_RESEMBLES):
            return Chosen((NONE,), (0.5,))
        if not places:
            return Chosen()
        name, _, plain = min(places, key=lambda place: (-place[1], place[0]))
        kept = [(name, plain)]
        if asked.answer_type == "multi":
            others = sorted((-p, option) for option, _, p in places if option != name)
            likely = [(option, -p) for p, option in others if -p >= FURTHER_TASK_RATIO * plain]
            kept += likely[: MAX_TASKS - 1]
        return Chosen(
            tuple(option for option, _ in kept),
            tuple(round(min(1.0, p / max(total, 1e-30)), 4) for _, p in kept),
        )

    def _zero_shot(self, asked: Field, known: _Known) -> Chosen:
        """A facet without a head: the options whose descriptions lie nearest. Weak, and its confidence says
        so."""
        vectors = self._vectors_of(asked.question, asked.options)
        similar = vectors @ known.reading.raw[known.row]
        if asked.answer_type == "multi":
            order = np.argsort(-similar, kind="stable")
            picked = [
                (asked.options[i].id, float(similar[i])) for i in order if similar[i] >= ZERO_SHOT_MULTI
            ]
            return Chosen(tuple(n for n, _ in picked), tuple(round(min(1.0, s), 4) for _, s in picked))
        weights = np.exp((similar - similar.max()) / ZERO_SHOT_SPREAD)
        return _best([(float(w), option.id) for w, option in zip(weights, asked.options, strict=True)])

    def _vectors_of(self, question: str, options: Sequence[Option]) -> Array:
        texts = tuple(f"{question} {option.text}. {option.description}".strip() for option in options)
        known = self._option_vectors.get(texts)
        if known is None:
            known = self._option_vectors[texts] = self._encode(texts)
        return known


class _Known:
    """A row of a reading, and of the task scores once they were needed."""

    __slots__ = ("reading", "row", "scores", "scores_row")

    def __init__(self, reading: Reading, row: int) -> None:
        self.reading, self.row = reading, row
        self.scores: TaskScores | None = None
        self.scores_row = 0


def _best(pairs: Sequence[tuple[float, str]]) -> Chosen:
    """The likeliest, by name among equals, with its share of what was offered."""
    total = sum(p for p, _ in pairs)
    probability, name = min(pairs, key=lambda pair: (-pair[0], pair[1]))
    return Chosen((name,), (round(probability / total, 4),))
