"""Scores by hand on tiny cases, files that are not what they should be, and the figures the project
promises."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from economic_index.commands import validate as command
from economic_index.conversation import Conversation, Message
from economic_index.errors import UserError
from economic_index.labelling.task_space import TaskSpace
from economic_index.validation.data import Labelled, Truth, read_labelled
from economic_index.validation.run import (
    NO_ANSWER,
    Level,
    Prediction,
    agreement,
    evaluate,
    predictions,
)
from economic_index.validation.scores import (
    balanced_accuracy,
    bootstrap,
    choice_metrics,
    kappa,
    macro_f1,
    set_metrics,
    wilson,
)
from economic_index.validation.session import load_space, validate

ROOT = Path(__file__).parents[2]


def codes(text: str) -> np.ndarray:
    return np.array([ord(letter) - ord("a") for letter in text])


# -- scores
# ----------------------------------------------------------------------------------------------------


def test_wilson_by_hand() -> None:
    metric = wilson(8, 10)
    assert metric.value == 0.8
    assert (round(metric.low, 3), round(metric.high, 3)) == (0.490, 0.943)
    assert wilson(0, 5).low == 0.0 and wilson(5, 5).high == 1.0


def test_kappa_by_hand() -> None:
    # 20 a/a, 5 a/b, 10 b/a, 15 b/b: observed 0.7, by chance 0.5
    true, guess = codes("a" * 25 + "b" * 25), codes("a" * 20 + "b" * 5 + "a" * 10 + "b" * 15)
    assert kappa(true, guess, 2) == pytest.approx(0.4)
    assert kappa(codes("aaaa"), codes("aaaa"), 2) == 0.0
    assert kappa(codes("abab"), codes("abab"), 2) == 1.0
    assert kappa(codes("abab"), codes("baba"), 2) == -1.0


def test_macro_f1_and_balanced_accuracy_by_hand() -> None:
    true, guess = codes("aaab"), codes("aabb")
    # a: 2 hits of 3 + 2 = 0.8; b: 1 hit of 1 + 2 = 2/3
    assert macro_f1(true, guess, 2) == pytest.approx((0.8 + 2 / 3) / 2)
    assert balanced_accuracy(true, guess, 2) == pytest.approx((2 / 3 + 1) / 2)
    # a guess that the truth never has lowers F1, and is no recall of its own
    assert macro_f1(codes("aa"), codes("ac"), 3) == pytest.approx((2 / 3 + 0) / 2)
    assert balanced_accuracy(codes("aa"), codes("ac"), 3) == 0.5


def test_bootstrap_is_reproducible_and_holds_the_value() -> None:
    random = np.random.default_rng(1)
    true, guess = random.integers(0, 3, 60), random.integers(0, 3, 60)
    one, two = bootstrap(kappa, true, guess, 3), bootstrap(kappa, true, guess, 3)
    assert one == two
    assert one.low <= one.value <= one.high
    assert one.high - one.low > 0.1


def test_accuracy_counts_what_is_accepted() -> None:
    metrics = choice_metrics(["a", "b"], ["a", "a"], [True, True])
    assert metrics["accuracy"].value == 1.0
    assert metrics["kappa"].value == 0.0
    assert choice_metrics([], []) == {}


def test_set_scores_by_hand() -> None:
    truth = [frozenset({"w", "m"}), frozenset({"w"}), frozenset()]
    guess = [frozenset({"w"}), frozenset({"p"}), frozenset()]
    metrics = set_metrics(truth, guess)
    assert metrics["jaccard"].value == pytest.approx((0.5 + 0 + 1) / 3)
    assert metrics["precision"].value == pytest.approx(1 / 2)
    assert metrics["recall"].value == pytest.approx(1 / 3)
    assert metrics["micro_f1"].value == pytest.approx(2 / 5)
    assert metrics["macro_f1"].value == pytest.approx((2 / 3 + 0) / 2)


# -- levels
# ----------------------------------------------------------------------------------------------------


def space() -> TaskSpace:
    rows = [("t", None, None), ("u", None, None), ("a", "t", None), ("b", "u", None)]
    hierarchy: list[dict[str, Any]] = [
        {"node_id": n, "parent_node_id": p, "name": n, "task_id": None} for n, p, _ in rows
    ] + [
        {"node_id": f"n{t}", "parent_node_id": p, "name": "", "task_id": t}
        for t, p in ((1, "a"), (2, "a"), (3, "b"))
    ]
    return TaskSpace.from_rows(
        [{"task_id": t, "task": f"task {t}"} for t in (1, 2, 3)],
        [{"task_id": t, "soc_major_code": m} for t, m in ((1, "15"), (2, "15"), (2, "25"), (3, "35"))],
        hierarchy,
    )


def truth(**values: Any) -> Truth:
    given = {
        "occupational": "yes",
        "soc_major": ("15",),
        "pattern": "directive",
        "pattern_ok": ("directive", "learning"),
        "skills": ("writing",),
        "uses": {},
        "task_id": None,
    }
    return Truth(**{**given, **values})


def talk(name: str) -> Conversation:
    return Conversation(name, (Message("user", f"text {name}"),))


def found(levels: list[Level], level: str, annotator: str = "one") -> Level:
    return next(x for x in levels if (x.level, x.annotator) == (level, annotator))


def test_a_screened_out_conversation_counts_against_the_group_and_keeps_its_pattern() -> None:
    labelled = Labelled(
        tuple(map(talk, "abcd")),
        {
            "one": {
                "a": truth(),
                "b": truth(soc_major=("35", "25")),
                "c": truth(),
                "d": truth(occupational="no", soc_major=(), pattern="learning", pattern_ok=("learning",)),
            }
        },
    )
    predicted = {
        "a": Prediction("yes", "1", ("15",), "directive", frozenset({"writing"})),
        "b": Prediction("yes", "2", ("15", "25"), "learning", frozenset()),
        "c": Prediction("no", None, (), "validation", frozenset({"writing"})),
        "d": Prediction("no", None, (), "learning", frozenset({"writing"})),
    }
    levels = evaluate(labelled, predicted, space())
    assert found(levels, "screen").metrics["accuracy"].value == 0.75
    assert found(levels, "screen").metrics["balanced_accuracy"].value == pytest.approx((2 / 3 + 1) / 2)
    group = found(levels, "soc_major")
    assert group.n == 3
    assert group.metrics["accuracy"].value == pytest.approx(2 / 3)  # b by its second accepted group
    assert found(levels, "soc_major_assigned").metrics["accuracy"].value == 1.0
    pattern = found(levels, "pattern")
    assert pattern.n == 4
    assert pattern.metrics["accuracy"].value == 0.5
    assert pattern.metrics["acceptable"].value == 0.75
    assert found(levels, "pattern_screened_in").n == 2
    assert found(levels, "skills").metrics["jaccard"].value == 0.75
    majority = group.baselines["majority class"]
    assert majority["accuracy"].value == pytest.approx(2 / 3) and majority["kappa"].value == 0.0


def test_nothing_predicted_is_wrong_everywhere() -> None:
    labelled = Labelled(tuple(map(talk, "ab")), {"one": {"a": truth(), "b": truth(soc_major=("35",))}})
    levels = evaluate(labelled, {}, space())
    for level in ("screen", "soc_major", "pattern"):
        assert found(levels, level).metrics["accuracy"].value == 0.0
    assert all(x.level != "soc_major_assigned" for x in levels)


def test_task_labels_are_scored_at_every_level_of_the_tree() -> None:
    labelled = Labelled(
        tuple(map(talk, "abc")),
        {"one": {"a": truth(task_id="1"), "b": truth(task_id="1"), "c": truth(task_id="3")}},
    )
    predicted = {
        "a": Prediction("yes", "1", ("15",)),
        "b": Prediction("yes", "2", ("15", "25")),
        "c": Prediction("yes", "none", ()),
    }
    levels = evaluate(labelled, predicted, space())
    assert [found(levels, x).metrics["accuracy"].value for x in ("top", "middle", "base")] == pytest.approx(
        [2 / 3, 2 / 3, 1 / 3]
    )


def test_either_accepts_what_any_annotator_accepts() -> None:
    labelled = Labelled(
        (talk("a"),), {"one": {"a": truth(soc_major=("27",))}, "two": {"a": truth(soc_major=("15",))}}
    )
    levels = evaluate(labelled, {"a": Prediction("yes", "1", ("15",))}, space())
    assert found(levels, "soc_major").metrics["accuracy"].value == 0.0
    assert found(levels, "soc_major", "either").metrics["accuracy"].value == 1.0
    scores = {x["level"]: x["metrics"] for x in agreement(labelled)}
    assert scores["soc_major"]["accuracy"]["value"] == 0.0
    assert scores["pattern"]["accuracy"]["value"] == 1.0


def test_baselines_use_the_embeddings_they_are_given() -> None:
    names = [f"{kind}{n}" for kind in "xy" for n in range(20)]
    labelled = Labelled(
        tuple(map(talk, names)),
        {"one": {n: truth(soc_major=("15",) if n[0] == "x" else ("35",)) for n in names}},
    )

    def encode(texts: Any) -> np.ndarray:
        # conversations of kind x and tasks 1 and 2 on one axis, the others on the other
        first = [t.startswith("text x") or t in ("task 1", "task 2") for t in texts]
        return np.array([[1.0, 0.0] if f else [0.0, 1.0] for f in first], dtype=np.float32)

    beside = found(evaluate(labelled, {}, space(), encode), "soc_major").baselines
    assert beside["nearest task by embedding"]["accuracy"].value == 1.0
    assert beside["in-domain cross-validation"]["kappa"].value == 1.0
    assert beside["majority class"]["accuracy"].value == 0.5


def test_rows_become_predictions() -> None:
    rows = [
        {"conversation_id": "a", "facet": "occupational", "option_id": "yes", "status": "ok"},
        {"conversation_id": "a", "facet": "task", "option_id": "2", "status": "ok"},
        {"conversation_id": "a", "facet": "skill", "option_id": None, "status": "ok"},
        {"conversation_id": "a", "facet": "work_use", "option_id": "likely", "status": "ok"},
        {"conversation_id": "a", "facet": "collaboration_pattern", "option_id": None, "status": "invalid"},
        {"conversation_id": "b", "facet": "occupational", "option_id": None, "status": "failed"},
    ]
    got = predictions(rows, space())
    assert got["a"] == Prediction("yes", "2", ("15", "25"), None, frozenset(), {"work": "likely"})
    assert got["b"] == Prediction()
    assert NO_ANSWER.startswith("(")


# -- files
# -----------------------------------------------------------------------------------------------------


def lines(path: Path, rows: list[Any], *, packed: bool = False) -> Path:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path


TALK = {"conversation_id": "a", "messages": [{"role": "user", "content": "secret words"}]}


@pytest.mark.parametrize("packed", [False, True])
def test_plain_and_gzipped_files_are_read(tmp_path: Path, packed: bool) -> None:
    unlabelled = {**TALK, "conversation_id": "z"}
    talks = lines(tmp_path / "c", [TALK, unlabelled], packed=packed)
    one = lines(tmp_path / "one.jsonl", [{"conversation_id": "a", "occupational": "no"}], packed=packed)
    (tmp_path / "other").mkdir()
    two = lines(tmp_path / "other" / "one.jsonl", [{"conversation_id": "a", "skills": ["Writing"]}])
    labelled = read_labelled(talks, [one, two])
    assert [c.conversation_id for c in labelled.conversations] == ["a"]
    assert list(labelled.annotators) == ["one.jsonl", str(two)]
    assert labelled.annotators[str(two)]["a"].skills == ("writing",)


@pytest.mark.parametrize(
    ("talks", "labels", "match"),
    [
        (["{broken"], [{"conversation_id": "a"}], "Line 1 of .* is not a JSON object"),
        ([[1, 2]], [{"conversation_id": "a"}], "not a JSON object"),
        ([{"conversation_id": "a"}], [{"conversation_id": "a"}], "is not a conversation"),
        ([{**TALK, "messages": [{"role": "bot", "content": "x"}]}], [{}], "is not a conversation"),
        ([{**TALK, "messages": "hello"}], [{}], "is not a conversation"),
        ([TALK, TALK], [{"conversation_id": "a"}], "repeats a conversation_id"),
        ([TALK], [{"conversation_id": "b"}], "does not have"),
        ([TALK], [{"conversation_id": "a"}, {"conversation_id": "a"}], "repeats a conversation_id"),
        ([TALK], [{"conversation_id": "a", "pattern": "secret words"}], "unusable 'pattern'"),
        ([TALK], [], "no label for any conversation"),
    ],
)
def test_bad_files_are_one_sentence_without_content(
    tmp_path: Path, talks: list[Any], labels: list[Any], match: str
) -> None:
    paths = lines(tmp_path / "c.jsonl", talks), lines(tmp_path / "l.jsonl", labels)
    with pytest.raises(UserError, match=match) as caught:
        read_labelled(paths[0], [paths[1]])
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    talks = lines(tmp_path / "c.jsonl", [TALK])
    with pytest.raises(UserError, match="cannot be read"):
        read_labelled(talks, [tmp_path / "absent.jsonl"])
    damaged = tmp_path / "d.jsonl.gz"
    damaged.write_bytes(gzip.compress(b"x" * 1000)[:-20])
    with pytest.raises(UserError, match=r"cannot be read|neither JSON Lines"):
        read_labelled(talks, [damaged])
    damaged.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="neither JSON Lines"):
        read_labelled(talks, [damaged])


# -- the command
# -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("warehouse")
    patch.setenv("ECONOMIC_INDEX_WAREHOUSE", str(folder))
    patch.setenv("ECONOMIC_INDEX_PROJECT", str(ROOT))
    patch.delenv("ECONOMIC_INDEX_TAXONOMY", raising=False)
    yield folder
    patch.undo()


@pytest.mark.slow
def test_the_command_prints_one_document_and_asks_nothing_twice(own_warehouse: Path, tmp_path: Path) -> None:
    rows = [
        ("a", "write a python script that renames photos by date and keeps the originals", "15", "directive"),
        ("b", "a poem about a lighthouse keeper who is afraid of the dark, four stanzas", "27", "directive"),
        ("c", "explain to me how vaccines train the immune system, for my nursing exam", "29", "learning"),
    ]
    talks = lines(
        tmp_path / "c.jsonl",
        [{"conversation_id": n, "messages": [{"role": "user", "content": t}]} for n, t, _, _ in rows],
    )
    labels = lines(
        tmp_path / "l.jsonl",
        [
            {"conversation_id": n, "occupational": "yes", "soc_major": [m], "pattern": p, "pattern_ok": [p]}
            for n, _, m, p in rows
        ],
    )
    app = typer.Typer()
    command.register(app)
    app.command("other")(lambda: None)
    arguments = ["validate", "--conversations", str(talks), "--labels", str(labels), "--no-baselines"]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["engine"], document["strategy"], document["n_conversations"]) == ("local", "tree", 3)
    assert {x["level"] for x in document["levels"]} >= {"screen", "soc_major", "pattern"}
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0 and "soc_major" in shown.stdout
    replayed = CliRunner().invoke(app, [*arguments, "--json", "--engine", "replay"])
    assert replayed.exit_code == 0, replayed.output
    assert json.loads(replayed.stdout)["levels"] == document["levels"]


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("strategy", ["tree", "shortlist"])
def test_the_promised_figures_hold_on_the_development_labels(own_warehouse: Path, strategy: str) -> None:
    folder = Path(os.environ.get("ECONOMIC_INDEX_DATA") or ROOT.parent / "shared" / "data") / "labels"
    if not folder.is_dir():
        pytest.skip("the development labels are not beside the checkout (ECONOMIC_INDEX_DATA)")
    labels = [folder / f"dev_annotator_{n}.jsonl" for n in (1, 2)]
    variables = {"engine": "local", "strategy": strategy}
    result = validate(folder / "dev_conversations.jsonl.gz", labels, variables, with_baselines=False)
    assert found(result.levels, "soc_major", "either").metrics["accuracy"].value >= 0.65
    for path in labels:
        assert found(result.levels, "soc_major", path.name).metrics["accuracy"].value >= 0.65
        assert found(result.levels, "pattern", path.name).metrics["kappa"].value >= 0.30
        assert found(result.levels, "pattern_screened_in", path.name).metrics["kappa"].value >= 0.30
        assert found(result.levels, "screen", path.name).metrics["balanced_accuracy"].value >= 0.65


def test_the_sample_taxonomy_loads_as_a_space(own_warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="ECONOMIC_INDEX_TAXONOMY"):
        load_space(own_warehouse / "nowhere", {})
