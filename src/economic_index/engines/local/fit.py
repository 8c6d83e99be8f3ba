"""Fitting the local engine's heads: scikit-learn, cross-validated, calibrated, the same bytes every time.

Class priors: each head keeps the mix of the training texts. They were written for breadth (every SOC major
group, every pattern), so they are flatter than public chat logs; no log's mix is built in, because users'
logs differ from those. The SOC head is flattened a little further (class weights with exponent 0.1), without
which rare groups are hardly ever answered. The screen alone is fitted balanced: its two classes are about six to one in the
training texts, which says how many texts of each kind were written and nothing else.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize_scalar

from economic_index import embeddings
from economic_index.engines.local.artefact import Artefact, Columns, Head, softmax
from economic_index.engines.local.reader import Encode, RawFeatures, columns, raw_features, translate
from economic_index.engines.local.training_data import USES, Example, digest_of

Array = NDArray[np.float32]
FOLDS = 5
SEED = 20_250_210
#: Weight of the first, second and third accepted SOC group in the soft target.
RANK_WEIGHTS = (1.0, 0.3, 0.15)
#: A skill with fewer examples than this is not learned; it is never answered.
FEWEST_EXAMPLES = 5
Progress = Callable[[str], None]


@dataclass(frozen=True)
class HeadRecipe:
    """How one head is fitted: which blocks with which weight, and the inverse strength of the L2 penalty."""

    name: str
    kind: Literal["softmax", "multi"]
    blocks: tuple[tuple[str, float], ...]
    strength: float
    balanced: bool = False
    #: Class and log-odds that are added to it; see ``LEAN``.
    lean: tuple[str, float] | None = None
    #: How far the classes are weighted against their frequency: 0 not at all, 1 so that all count alike.
    flatten: float = 0.0


#: The screen leans towards 'no'. Its training texts are the plainest cases of chatter; real chatter is
#: longer and more like a request, so its scores come out lower. Held-out balanced accuracy on the training
#: texts is the same (0.86 to 0.87) for any lean from 0.25 to 0.75; on the development labels it grows with
#: it.
LEAN = 0.6

#: Chosen on the development labels among designs that also do well in cross-validation on the training texts.
RECIPES: tuple[HeadRecipe, ...] = (
    HeadRecipe(
        "occupational",
        "softmax",
        (("text", 1.5), ("topic", 1.2), ("habits", 1.0), ("technical", 2.0)),
        1.0,
        True,
        ("no", LEAN),
    ),
    HeadRecipe("soc_major", "softmax", (("text", 1.0), ("topic", 0.7), ("habits", 0.5)), 3.0, flatten=0.1),
    HeadRecipe("collaboration_pattern", "softmax", (("text", 1.0), ("style", 0.5), ("marks", 1.0)), 1.0),
    HeadRecipe("skill", "multi", (("text", 1.0), ("topic", 0.7), ("habits", 1.0)), 4.0),
    HeadRecipe("work_use", "softmax", (("text", 1.0), ("topic", 0.5), ("cues", 1.0)), 2.0),
    HeadRecipe("coursework_use", "softmax", (("text", 1.0), ("topic", 0.5), ("cues", 1.0)), 2.0),
    HeadRecipe("personal_use", "softmax", (("text", 1.0), ("topic", 0.5), ("cues", 1.0)), 2.0),
)
#: Constants of the task scoring (``tasks.py``), chosen with the development labels on O*NET 29.1 and on the sample
#: taxonomy, and by held-out scores on the training texts. Shared words (BM25) turned out to add nothing to meaning here;
#: they keep their place among the candidates of a shortlist.
SETTINGS: dict[str, float] = {
    "similarity_translated": 1.0,
    "similarity_written": 0.6,
    "bm25": 0.0,
    "spread": 0.025,
    "sharpness": 2.0,
    "group_similarity": 6.0,
}
TRANSLATION_RIDGE = 10.0


def targets(recipe: HeadRecipe, examples: Sequence[Example]) -> list[dict[str, float]]:
    """Soft labels of each example for a head, summing to one; empty where the example says nothing.

    For ``skill`` each named skill has weight one.
    """
    return [_target(recipe.name, example) for example in examples]


def _target(name: str, example: Example) -> dict[str, float]:
    if name == "occupational":
        return {example.occupational: 1.0} if example.occupational else {}
    if name == "soc_major":
        weights = dict(zip(example.soc_major, RANK_WEIGHTS, strict=False))
        total = sum(weights.values())
        return {group: weight / total for group, weight in weights.items()}
    if name == "collaboration_pattern":
        return {example.pattern: 1.0} if example.pattern else {}
    if name == "skill":
        return dict.fromkeys(example.skills or (), 1.0)
    level = example.uses.get(name.removesuffix("_use"))
    return {level: 1.0} if level else {}


def fit(
    examples: Sequence[Example], encode: Encode | None = None, on_progress: Progress | None = None
) -> Artefact:
    """Fit every head, calibrate it on held-out folds, and return the artefact with what was measured in its
    header.

    Args:
        examples: at least the shipped ones; order matters for the bytes of the result.
        encode: texts to vectors; the package's encoder by default.
        on_progress: called with a short line before each step.
    """
    say = on_progress or (lambda line: None)
    say(f"reading {len(examples):,} conversations")
    raw = raw_features([example.conversation for example in examples], encode)
    artefact = Artefact(
        {},
        raw.marks.mean(axis=0),
        np.maximum(raw.marks.std(axis=0), 0.05).astype(np.float32),
        np.eye(embeddings.DIMENSIONS, dtype=np.float32),
        SETTINGS,
    )
    blocks = columns(raw, artefact)
    heads: dict[str, Head] = {}
    measured: dict[str, Any] = {}
    for recipe in RECIPES:
        say(f"fitting {recipe.name}")
        heads[recipe.name], measured[recipe.name] = fit_head(recipe, blocks, targets(recipe, examples))
    say("fitting the translation to task sentences")
    translation, measured["translation"] = fit_translation(raw, examples, encode)
    header = {
        "training_digest": digest_of(examples),
        "training_examples": len(examples),
        "recipes": [
            [r.name, r.kind, list(r.blocks), r.strength, r.balanced, r.lean, r.flatten] for r in RECIPES
        ],
        "cross_validation": measured,
    }
    return replace(artefact, heads=heads, translation=translation, header=header)


def folds(strata: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Stratified folds with a fixed seed; (rows to fit on, rows held out)."""
    from sklearn.model_selection import StratifiedKFold

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class rarer than the folds is spread as far as it goes
        splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
        return list(splitter.split(np.zeros(len(strata)), list(strata)))


def stacked(blocks: Columns, recipe: HeadRecipe, rows: NDArray[np.int64]) -> sparse.csr_matrix:
    """The head's columns for ``rows``, blocks side by side, each times its weight."""
    parts = [sparse.csr_matrix(blocks[name])[rows] * weight for name, weight in recipe.blocks]
    return sparse.hstack(parts).tocsr()


def fit_head(
    recipe: HeadRecipe, blocks: Columns, soft: Sequence[dict[str, float]]
) -> tuple[Head, dict[str, float]]:
    """Fit one head on the rows that have a target; returns it and its held-out scores."""
    if recipe.kind == "multi":
        return _fit_multi(recipe, blocks, soft)
    rows = np.array([i for i, target in enumerate(soft) if target])
    matrix = stacked(blocks, recipe, rows)
    labels = [soft[i] for i in rows]
    classes = tuple(sorted({name for target in labels for name in target}))
    wanted = np.array([[target.get(name, 0.0) for name in classes] for target in labels])
    held_out = np.zeros_like(wanted)
    for train, test in folds([max(target, key=lambda name: target[name]) for target in labels]):
        weights, bias = _logistic(matrix[train], wanted[train], recipe)
        held_out[test] = matrix[test] @ weights + bias
    if recipe.lean is not None:
        held_out[:, classes.index(recipe.lean[0])] += recipe.lean[1]
    temperature = _temperature(held_out, wanted)
    weights, bias = _logistic(matrix, wanted, recipe)
    if recipe.lean is not None:
        bias[classes.index(recipe.lean[0])] += recipe.lean[1]
    head = _head(recipe, classes, weights, bias, temperature, np.zeros(len(classes)))
    return head, _held_out_scores(softmax((held_out / temperature).astype(np.float32)), wanted)


def _logistic(
    matrix: sparse.csr_matrix, wanted: NDArray[np.float64], recipe: HeadRecipe
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Multinomial logistic regression on soft targets; weights (columns, classes) and bias (classes,).

    A class that no row of ``matrix`` has keeps weight zero and a bias that makes it never the answer.
    """
    from sklearn.linear_model import LogisticRegression

    rows, classes = np.nonzero(wanted)
    model = LogisticRegression(
        C=recipe.strength, max_iter=400, class_weight="balanced" if recipe.balanced else None
    )
    weight = wanted[rows, classes]
    mass = wanted.sum(axis=0)
    weight = weight * (mass[mass > 0].mean() / mass[classes]) ** recipe.flatten
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(matrix[rows], classes, sample_weight=weight)
    weights = np.zeros((matrix.shape[1], wanted.shape[1]))
    bias = np.full(wanted.shape[1], -12.0)
    if len(model.classes_) == 2:
        weights[:, model.classes_[1]] = model.coef_[0] / 2
        weights[:, model.classes_[0]] = -model.coef_[0] / 2
        bias[model.classes_[1]], bias[model.classes_[0]] = model.intercept_[0] / 2, -model.intercept_[0] / 2
    else:
        weights[:, model.classes_] = model.coef_.T
        bias[model.classes_] = model.intercept_
    return weights, bias


def _head(
    recipe: HeadRecipe,
    classes: tuple[str, ...],
    weights: NDArray[np.float64],
    bias: NDArray[np.float64],
    temperature: float,
    thresholds: NDArray[np.float64],
) -> Head:
    # Through float16 and back, so that the fitted artefact answers exactly as the one read from its file.
    return Head(
        recipe.name,
        recipe.kind,
        classes,
        recipe.blocks,
        weights.astype(np.float16).astype(np.float32),
        bias.astype(np.float32),
        round(temperature, 5),
        thresholds.astype(np.float32),
    )


def _temperature(scores: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """The temperature that makes held-out scores likeliest (soft cross-entropy)."""

    def loss(log_temperature: float) -> float:
        scaled = scores / np.exp(log_temperature)
        top = scaled.max(axis=1, keepdims=True)
        log_probability = scaled - top - np.log(np.exp(scaled - top).sum(axis=1, keepdims=True))
        return float(-(wanted * log_probability).sum() / len(wanted))

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x))


def _held_out_scores(probabilities: Array, wanted: NDArray[np.float64]) -> dict[str, float]:
    from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score

    truth, guess = wanted.argmax(axis=1), probabilities.argmax(axis=1)
    accepted = wanted[np.arange(len(guess)), guess] > 0
    return {
        "n": len(truth),
        "accuracy": round(float((truth == guess).mean()), 4),
        "accepted": round(float(accepted.mean()), 4),
        "majority": round(float(np.bincount(truth).max() / len(truth)), 4),
        "kappa": round(float(cohen_kappa_score(truth, guess)), 4),
        "macro_f1": round(float(f1_score(truth, guess, average="macro", zero_division=0)), 4),
        "balanced_accuracy": round(float(balanced_accuracy_score(truth, guess)), 4),
        "calibration_error": round(calibration_error(probabilities.max(axis=1), truth == guess), 4),
    }


def calibration_error(confidences: NDArray[Any], right: NDArray[Any], bins: int = 10) -> float:
    """Expected calibration error: mean gap between confidence and accuracy over equally filled bins,
    weighted by size."""
    order = np.argsort(confidences, kind="stable")
    gaps = [
        len(part) * abs(float(np.mean(confidences[part])) - float(np.mean(right[part])))
        for part in np.array_split(order, bins)
        if len(part)
    ]
    return sum(gaps) / max(1, len(confidences))


def _fit_multi(
    recipe: HeadRecipe, blocks: Columns, soft: Sequence[dict[str, float]]
) -> tuple[Head, dict[str, float]]:
    """One-vs-rest; one threshold for all classes, chosen for the best mean overlap (Jaccard) on held-out
    rows."""
    rows = np.arange(len(soft))
    matrix = stacked(blocks, recipe, rows)
    counts: dict[str, int] = {}
    for target in soft:
        for name in target:
            counts[name] = counts.get(name, 0) + 1
    classes = tuple(sorted(name for name, count in counts.items() if count >= FEWEST_EXAMPLES))
    truth = np.array([[name in target for name in classes] for target in soft])
    held_out = np.zeros(truth.shape)
    for train, test in folds([max(target, key=lambda n: counts[n]) if target else "" for target in soft]):
        for k in range(len(classes)):
            weights, bias = _one_class(matrix[train], truth[train, k], recipe)
            held_out[test, k] = matrix[test] @ weights + bias
    temperature = _binary_temperature(held_out, truth)
    probabilities = 1 / (1 + np.exp(-held_out / temperature))
    threshold = max(
        np.arange(0.15, 0.6, 0.025), key=lambda t: _overlap(_choose(probabilities, float(t)), truth)
    )
    fitted = [_one_class(matrix, truth[:, k], recipe) for k in range(len(classes))]
    head = _head(
        recipe,
        classes,
        np.column_stack([weights for weights, _ in fitted]),
        np.array([bias for _, bias in fitted]),
        temperature,
        np.full(len(classes), threshold),
    )
    chosen = _choose(probabilities, float(threshold))
    hits = (chosen & truth).sum()
    return head, {
        "n": len(soft),
        "jaccard": round(_overlap(chosen, truth), 4),
        "micro_f1": round(float(2 * hits / max(1, chosen.sum() + truth.sum())), 4),
        "threshold": round(float(threshold), 3),
        "calibration_error": round(calibration_error(probabilities.ravel(), truth.ravel()), 4),
    }


def _one_class(
    matrix: sparse.csr_matrix, truth: NDArray[np.bool_], recipe: HeadRecipe
) -> tuple[NDArray[np.float64], float]:
    wanted = np.column_stack([~truth, truth]).astype(float)
    weights, bias = _logistic(matrix, wanted, recipe) if truth.any() and not truth.all() else (None, None)
    if weights is None or bias is None:
        return np.zeros(matrix.shape[1]), -6.0
    return weights[:, 1] - weights[:, 0], float(bias[1] - bias[0])


def _binary_temperature(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    def loss(log_temperature: float) -> float:
        scaled = scores / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, scaled) - truth * scaled))

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x))


def _choose(probabilities: NDArray[Any], threshold: float) -> NDArray[np.bool_]:
    return np.asarray(probabilities >= threshold)


def _overlap(chosen: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Mean Jaccard of two sets per row; two empty sets agree."""
    both, either = (chosen & truth).sum(axis=1), (chosen | truth).sum(axis=1)
    return float(np.where(either == 0, 1.0, both / np.maximum(either, 1)).mean())


def fit_translation(
    raw: RawFeatures, examples: Sequence[Example], encode: Encode | None = None
) -> tuple[Array, dict[str, float]]:
    """Ridge regression from the embedding of what was written to that of the task sentence, shrunk to the
    identity.

    The topic of a message is not the task done in it; the sentence an annotator wrote about the task is
    worded as a task statement is, so this map is what lets statements be compared at all. Held out: how
    often the own sentence is among the ten nearest of all sentences, with and without the map.
    """
    encode = encode or embeddings.encode
    rows = np.array([i for i, e in enumerate(examples) if e.task and e.soc_major])
    written = raw.text[rows].astype(np.float64)
    wanted = encode([examples[i].task for i in rows]).astype(np.float64)
    ranks: list[NDArray[np.bool_]] = []
    plain: list[NDArray[np.bool_]] = []
    for train, test in folds([examples[i].soc_major[0] for i in rows]):
        moved = translate(raw.text[rows[test]], _ridge(written[train], wanted[train]))
        for vectors, found in ((moved, ranks), (written[test], plain)):
            similar = np.asarray(vectors) @ wanted.T
            own = similar[np.arange(len(test)), test][:, None]
            found.append((similar > own).sum(axis=1) < 10)
    measured = {
        "n": len(rows),
        "own_sentence_in_ten_nearest": round(float(np.concatenate(ranks).mean()), 4),
        "without_translation": round(float(np.concatenate(plain).mean()), 4),
    }
    translation = _ridge(written, wanted).astype(np.float16).astype(np.float32)
    return translation, measured


def _ridge(written: NDArray[np.float64], wanted: NDArray[np.float64]) -> Array:
    identity = np.eye(written.shape[1])
    gram = written.T @ written + TRANSLATION_RIDGE * identity
    change = np.linalg.solve(gram, written.T @ (wanted - written))
    return np.asarray(identity + change, dtype=np.float32)


__all__ = ["RECIPES", "SETTINGS", "USES", "HeadRecipe", "calibration_error", "fit", "fit_head"]
