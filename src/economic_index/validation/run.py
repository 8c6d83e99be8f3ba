"""Score the configured engine against labelled conversations, at every level, beside its baselines.

Levels:

* ``screen``: the occupational screen.
* ``soc_major``: is a SOC major group of the assigned task among the accepted ones? Over conversations that an
  annotator holds to be occupational; one that the engine screens out, or finds no task for, counts as wrong.
  ``soc_major_assigned``: the same over those that were given a task.
* ``pattern``: asked of every labelled conversation, whatever the screen said. ``pattern_screened_in``: over
  those that pass the engine's screen, which is what ends in the marts. Kappa is against the one label an
  annotator gave.
* ``skills``: sets of skills. ``work``, ``coursework``, ``personal``; ``top``, ``middle``, ``base``: where
labelled.

``either`` in place of an annotator's name accepts what any annotator accepts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from economic_index.conversation import Conversation
from economic_index.engines.asking import ask
from economic_index.engines.base import Engine, Request
from economic_index.engines.ledger import Ledger
from economic_index.labelling.labels import label_conversations
from economic_index.labelling.strategies import FieldMaker, Strategy
from economic_index.labelling.task_space import NONE, TaskSpace
from economic_index.registry import Facet
from economic_index.validation.data import Labelled, Truth
from economic_index.validation.scores import Metric, choice_metrics, set_metrics

EITHER = "either"
NO_ANSWER = "(no answer)"
Encode = Callable[[Sequence[str]], Any]


@dataclass(frozen=True)
class Prediction:
    """What the engine says of one conversation; None where it has no valid answer."""

    screen: str | None = None
    task: str | None = None
    soc_majors: tuple[str, ...] = ()
    pattern: str | None = None
    skills: frozenset[str] | None = None
    uses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Level:
    """Scores of one level against one annotator, and the same scores of the baselines."""

    level: str
    annotator: str
    n: int
    metrics: Mapping[str, Metric]
    baselines: Mapping[str, Mapping[str, Metric]]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "level": self.level,
            "annotator": self.annotator,
            "n": self.n,
            "metrics": {name: metric.as_dict() for name, metric in self.metrics.items()},
            "baselines": {
                baseline: {name: metric.as_dict() for name, metric in metrics.items()}
                for baseline, metrics in self.baselines.items()
            },
        }


def predict(
    conversations: Sequence[Conversation],
    space: TaskSpace,
    registry: Mapping[str, Facet],
    engine: Engine,
    ledger: Ledger,
    strategy: Strategy,
    fields: FieldMaker,
) -> dict[str, Prediction]:
    """Label the conversations as a build would, and ask the facets also where the screen says no."""
    rows: list[dict[str, Any]] = []
    for batch in label_conversations(conversations, registry, engine, ledger, strategy, fields):
        rows += batch.to_pylist()
    asked = {(row["conversation_id"], row["facet"]) for row in rows}
    rest = [
        (conversation, facet)
        for conversation in conversations
        for facet in registry.values()
        if facet.name != "task" and (conversation.conversation_id, facet.name) not in asked
    ]
    requests = [Request(facet.name, c, (fields.facet(facet, c),)) for c, facet in rest]
    for (conversation, facet), answer in zip(rest, ask(engine, ledger, requests), strict=True):
        options = answer.values[facet.name].options if answer.status == "ok" else ()
        rows += [
            {
                "conversation_id": conversation.conversation_id,
                "facet": facet.name,
                "status": answer.status,
                "option_id": o,
            }
            for o in options or (None,)
        ]
    return predictions(rows, space)


def predictions(rows: Iterable[Mapping[str, Any]], space: TaskSpace) -> dict[str, Prediction]:
    """Rows of ``conversation_answers`` by conversation."""
    answers: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        facets = answers.setdefault(row["conversation_id"], {})
        if row["status"] == "ok":
            facets.setdefault(row["facet"], []).extend([] if row["option_id"] is None else [row["option_id"]])
    return {name: _prediction(facets, space) for name, facets in answers.items()}


def _prediction(facets: Mapping[str, list[str]], space: TaskSpace) -> Prediction:
    def one(name: str) -> str | None:
        return facets[name][0] if facets.get(name) else None

    task = one("task")
    majors = space.soc_majors[space.position[task]] if task is not None and task in space.position else ()
    return Prediction(
        one("occupational"),
        task,
        majors,
        one("collaboration_pattern"),
        frozenset(facets["skill"]) if "skill" in facets else None,
        {
            use: facets[f"{use}_use"][0]
            for use in ("work", "coursework", "personal")
            if facets.get(f"{use}_use")
        },
    )


@dataclass(frozen=True)
class Case:
    """A conversation with what was predicted and what annotators say (one, or all for ``either``)."""

    conversation: Conversation
    predicted: Prediction
    truths: tuple[Truth, ...]

    @property
    def accepted_majors(self) -> tuple[str, ...]:
        """Accepted SOC groups, best first, without repeats."""
        return tuple(dict.fromkeys(group for truth in self.truths for group in truth.soc_major))


def evaluate(
    labelled: Labelled, predicted: Mapping[str, Prediction], space: TaskSpace, encode: Encode | None = None
) -> list[Level]:
    """All levels for each annotator, and for ``either`` where there are several.

    ``encode``: for the embedding baselines; without it only the majority class is shown beside the engine.
    """
    baselines = _Baselines(labelled.conversations, space, encode)
    levels: list[Level] = []
    for name, truths in labelled.annotators.items():
        cases = [
            Case(c, predicted.get(c.conversation_id, Prediction()), (truths[c.conversation_id],))
            for c in labelled.conversations
            if c.conversation_id in truths
        ]
        levels += _levels(name, cases, space, baselines)
    if len(labelled.annotators) > 1:
        cases = [
            Case(
                c,
                predicted.get(c.conversation_id, Prediction()),
                tuple(t[c.conversation_id] for t in labelled.annotators.values() if c.conversation_id in t),
            )
            for c in labelled.conversations
        ]
        levels += _soc_levels(EITHER, cases, baselines)
    return levels


def _levels(name: str, cases: Sequence[Case], space: TaskSpace, baselines: _Baselines) -> list[Level]:
    found = [
        _choice(
            "screen",
            name,
            [c for c in cases if c.truths[0].occupational],
            _screen_truth,
            _screen_guess,
            baselines,
        ),
        *_soc_levels(name, cases, baselines),
    ]
    with_pattern = [c for c in cases if c.truths[0].pattern]
    found.append(
        _choice("pattern", name, with_pattern, _pattern_truth, _pattern_guess, baselines, _pattern_accepted)
    )
    inside = [c for c in with_pattern if c.predicted.screen == "yes"]
    found.append(
        _choice(
            "pattern_screened_in", name, inside, _pattern_truth, _pattern_guess, baselines, _pattern_accepted
        )
    )
    found.append(_skills(name, [c for c in cases if c.truths[0].skills is not None]))
    for use in ("work", "coursework", "personal"):
        of_use = [c for c in cases if use in c.truths[0].uses]

        def use_truth(case: Case, use: str = use) -> str:
            return case.truths[0].uses[use]

        def use_guess(case: Case, use: str = use) -> str:
            return case.predicted.uses.get(use, NO_ANSWER)

        found.append(_choice(use, name, of_use, use_truth, use_guess, baselines))
    found += _tree_levels(name, [c for c in cases if c.truths[0].task_id is not None], space, baselines)
    return [level for level in found if level.n]


def _screen_truth(case: Case) -> str:
    return case.truths[0].occupational or ""


def _screen_guess(case: Case) -> str:
    return case.predicted.screen or NO_ANSWER


def _pattern_truth(case: Case) -> str:
    return case.truths[0].pattern or ""


def _pattern_guess(case: Case) -> str:
    return case.predicted.pattern or NO_ANSWER


def _pattern_accepted(case: Case, guess: str) -> bool:
    return guess == case.truths[0].pattern or guess in case.truths[0].pattern_ok


def _major_truth(case: Case) -> str:
    """The group that stands for the truth in kappa and F1: the guessed one where it is accepted."""
    accepted = case.accepted_majors
    return next((group for group in case.predicted.soc_majors if group in accepted), accepted[0])


def _major_guess(case: Case) -> str:
    majors = case.predicted.soc_majors
    return next(
        (group for group in majors if group in case.accepted_majors), majors[0] if majors else NO_ANSWER
    )


def _major_accepted(case: Case, guess: str) -> bool:
    return guess in case.accepted_majors


def _soc_levels(name: str, cases: Sequence[Case], baselines: _Baselines) -> list[Level]:
    known = [case for case in cases if case.accepted_majors]
    assigned = [case for case in known if case.predicted.soc_majors]
    return [
        _choice("soc_major", name, known, _major_truth, _major_guess, baselines, _major_accepted),
        _choice("soc_major_assigned", name, assigned, _major_truth, _major_guess, baselines, _major_accepted),
    ]


def _tree_levels(name: str, cases: Sequence[Case], space: TaskSpace, baselines: _Baselines) -> list[Level]:
    def node(task: str | None, depth: int) -> str:
        if task is None or (task not in space.position and task != NONE):
            return NO_ANSWER
        path = space.path(task) if task in space.position else ()
        return (*path, task)[depth] if len(path) >= depth else task

    found = []
    depth_of_base = max((len(space.path(task)) for task in space.task_ids[:1]), default=0)
    names = {0: "top", depth_of_base: "base"} if depth_of_base else {0: "base"}
    for depth in range(depth_of_base + 1):
        label = names.get(depth, "middle" if depth == 1 else f"middle_{depth}")

        def truth(case: Case, depth: int = depth) -> str:
            return node(case.truths[0].task_id, depth)

        def guess(case: Case, depth: int = depth) -> str:
            return node(case.predicted.task, depth)

        found.append(_choice(label, name, cases, truth, guess, baselines))
    return found


def _choice(
    level: str,
    annotator: str,
    cases: Sequence[Case],
    truth_of: Callable[[Case], str],
    guess_of: Callable[[Case], str],
    baselines: _Baselines,
    accepts: Callable[[Case, str], bool] | None = None,
) -> Level:
    truth = [truth_of(case) for case in cases]
    guess = [guess_of(case) for case in cases]
    right = [accepts(c, g) for c, g in zip(cases, guess, strict=True)] if accepts else None
    beside: dict[str, dict[str, Metric]] = {}
    # A baseline's own truth: where several groups are accepted, the one that stands for the engine is not
    # the one that would stand for another reader.
    for name, other in baselines.guesses(level, cases, truth_of).items():
        fair = [
            g if accepts is not None and accepts(c, g) and level.startswith("soc") else t
            for c, g, t in zip(cases, other, baselines.first_truth(level, cases, truth_of), strict=True)
        ]
        accepted = [accepts(c, g) for c, g in zip(cases, other, strict=True)] if accepts else None
        beside[name] = choice_metrics(fair, other, accepted)
    metrics = choice_metrics(truth, guess, right)
    # Two different questions have two names: one label (kappa), or any that the annotator would accept.
    if accepts is not None and level.startswith("pattern") and metrics:
        metrics = {"acceptable": metrics["accuracy"], **choice_metrics(truth, guess)}
        beside = {
            name: {"acceptable": scores["accuracy"], **choice_metrics(truth, other)}
            for (name, scores), other in zip(
                beside.items(), baselines.guesses(level, cases, truth_of).values(), strict=True
            )
        }
    return Level(level, annotator, len(cases), metrics, beside)


def _skills(annotator: str, cases: Sequence[Case]) -> Level:
    truth = [frozenset(case.truths[0].skills or ()) for case in cases]
    guess = [case.predicted.skills or frozenset() for case in cases]
    counts = Counter(skill for skills in truth for skill in skills)
    beside = {}
    if counts:
        common = min(counts, key=lambda skill: (-counts[skill], skill))
        beside["majority class"] = set_metrics(truth, [frozenset({common})] * len(truth))
    return Level("skills", annotator, len(cases), set_metrics(truth, guess), beside)


class _Baselines:
    """What a reader that learned nothing, or learned from the very labels it is scored on, would reach."""

    def __init__(
        self, conversations: Sequence[Conversation], space: TaskSpace, encode: Encode | None
    ) -> None:
        self._row = {c.conversation_id: row for row, c in enumerate(conversations)}
        self._vectors: Any = None
        self._nearest: list[int] = []
        self._space = space
        if encode is not None:
            first = [next(m.content for m in c.messages if m.role == "user") for c in conversations]
            self._vectors = encode(first)
            self._nearest = [int(row) for row in (self._vectors @ encode(list(space.texts)).T).argmax(axis=1)]

    def first_truth(self, level: str, cases: Sequence[Case], truth_of: Callable[[Case], str]) -> list[str]:
        """The best accepted label, whatever the engine said."""
        if level.startswith("soc"):
            return [case.accepted_majors[0] for case in cases]
        return [truth_of(case) for case in cases]

    def guesses(
        self, level: str, cases: Sequence[Case], truth_of: Callable[[Case], str]
    ) -> dict[str, list[str]]:
        """Guesses of each baseline for the cases."""
        if not cases:
            return {}
        truth = self.first_truth(level, cases, truth_of)
        counts = Counter(truth)
        found = {"majority class": [min(counts, key=lambda label: (-counts[label], label))] * len(cases)}
        if self._vectors is None:
            return found
        rows = [self._row[case.conversation.conversation_id] for case in cases]
        if level.startswith("soc"):
            found["nearest task by embedding"] = [
                self._one_of(self._space.soc_majors[self._nearest[row]], case)
                for row, case in zip(rows, cases, strict=True)
            ]
        if level in ("screen", "soc_major", "pattern"):
            held_out = _cross_validated(self._vectors[rows], truth)
            if held_out is not None:
                found["in-domain cross-validation"] = held_out
        return found

    def _one_of(self, majors: Sequence[str], case: Case) -> str:
        return next((group for group in majors if group in case.accepted_majors), majors[0])


def _cross_validated(vectors: Any, truth: Sequence[str], folds: int = 5) -> list[str] | None:
    """Held-out guesses of a logistic regression on the first message's embedding, fitted on the labels
    themselves."""
    import warnings

    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    labels = np.array(truth)
    if len(labels) < 2 * folds or len(set(truth)) < 2:
        return None
    guess = labels.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for train, test in StratifiedKFold(folds, shuffle=True, random_state=0).split(vectors, labels):
            if len(set(labels[train])) < 2:
                guess[test] = labels[train][0]
                continue
            model = LogisticRegression(C=10.0, max_iter=500).fit(vectors[train], labels[train])
            guess[test] = model.predict(vectors[test])
    return [str(label) for label in guess]


def agreement(labelled: Labelled) -> list[dict[str, Any]]:
    """How far annotators agree with each other, pair by pair: the ceiling of every score."""
    names = list(labelled.annotators)
    found = []
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            found += _pair(one, labelled.annotators[one], other, labelled.annotators[other])
    return found


def _pair(one: str, a: Mapping[str, Truth], other: str, b: Mapping[str, Truth]) -> list[dict[str, Any]]:
    both = [name for name in a if name in b]
    scores: dict[str, tuple[int, dict[str, Metric]]] = {}
    screens = [n for n in both if a[n].occupational and b[n].occupational]
    scores["screen"] = (
        len(screens),
        choice_metrics([str(a[n].occupational) for n in screens], [str(b[n].occupational) for n in screens]),
    )
    majors = [n for n in both if a[n].soc_major and b[n].soc_major]
    shared = [bool(set(a[n].soc_major) & set(b[n].soc_major)) for n in majors]
    first = choice_metrics([a[n].soc_major[0] for n in majors], [b[n].soc_major[0] for n in majors])
    any_group = choice_metrics(["x"] * len(majors), ["x"] * len(majors), shared)
    if first:
        first["acceptable"] = any_group["accuracy"]
    scores["soc_major"] = (len(majors), first)
    patterns = [n for n in both if a[n].pattern and b[n].pattern]
    scores["pattern"] = (
        len(patterns),
        choice_metrics([str(a[n].pattern) for n in patterns], [str(b[n].pattern) for n in patterns]),
    )
    skills = [n for n in both if a[n].skills is not None and b[n].skills is not None]
    scores["skills"] = (
        len(skills),
        set_metrics(
            [frozenset(a[n].skills or ()) for n in skills], [frozenset(b[n].skills or ()) for n in skills]
        ),
    )
    return [
        {
            "level": level,
            "annotators": [one, other],
            "n": n,
            "metrics": {name: metric.as_dict() for name, metric in metrics.items()},
        }
        for level, (n, metrics) in scores.items()
        if n
    ]
