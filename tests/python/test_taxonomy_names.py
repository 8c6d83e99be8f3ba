"""Names are verb phrases that a person would say, never a row of keywords."""

from __future__ import annotations

import numpy as np
import pytest

from economic_index.taxonomy.build import Node
from economic_index.taxonomy.names import Lexicon, Phrase, name_groups, phrases

STATEMENTS = [
    "Plan, direct, or coordinate kitchen staff to keep service on time.",
    "Direct volunteers at the food bank.",
    "Direct a choir.",
    "Coordinate repairs with landlords.",
    "Coordinate volunteers.",
    "Plan gardens for schools, parks, and streets.",
    "Plan gardens.",
    "Clean, oil, or perform small repairs on bicycles, using hand tools.",
    "Perform small repairs.",
    "Perform safety checks on ladders.",
    "Oil hinges.",
    "Oil machines.",
    "Clean windows.",
    "Clean windows to keep rooms bright.",
    "Confer with parents to discuss progress of pupils.",
    "Confer with neighbours.",
    "Carefully weigh parcels.",
    "Weigh parcels.",
    "Weigh letters.",
    "Provide visitors with maps of the town.",
    "Provide maps.",
    "Keep records pertaining to orders.",
    "Keep records.",
    "Write reports (monthly) that explain delays.",
    "Write reports.",
    "Analyze financial, statistical, or production data.",
    "Analyze financial data.",
    "Analyze production data.",
]


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon(STATEMENTS)


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        ("Plan, direct, or coordinate kitchen staff to keep service on time.", "coordinate kitchen staff"),
        ("Clean, oil, or perform small repairs on bicycles, using hand tools.", "perform small repairs"),
        ("Clean windows to keep rooms bright.", "clean windows"),
        ("Confer with parents to discuss progress of pupils.", "confer with parents"),
        ("Carefully weigh parcels.", "weigh parcels"),
        ("Provide visitors with maps of the town.", "provide visitors with maps of the town"),
        ("Write reports (monthly) that explain delays.", "write reports"),
        ("Reply to help requests with clear answers.", "reply to help requests"),
        ("Ask patients about pain before the visit.", "ask patients about pain"),
        ("Plan gardens for schools, parks, and streets.", "plan gardens"),
    ],
)
def test_the_central_clause(lexicon: Lexicon, statement: str, first: str) -> None:
    assert str(phrases(statement, lexicon)[0]) == first


@pytest.mark.parametrize(
    ("statement", "never"),
    [
        ("Analyze financial, statistical, or production data.", "analyze financial"),
        ("Keep records pertaining to orders.", "keep records pertaining"),
        ("Give them their money.", "give them their money"),
    ],
)
def test_clauses_that_read_badly_are_not_offered(lexicon: Lexicon, statement: str, never: str) -> None:
    assert never not in [str(phrase) for phrase in phrases(statement, lexicon)]


@pytest.mark.parametrize("statement", ["", ".", "()", "123", ", , ,", "Work", "كتابة", "a" * 5000])
def test_strange_statements_offer_nothing_or_little(lexicon: Lexicon, statement: str) -> None:
    assert all(phrase.words() <= 7 for phrase in phrases(statement, lexicon))


def test_a_phrase_reads_as_verb_and_object() -> None:
    assert str(Phrase("mend", "nets")) == "mend nets"
    assert Phrase("mend", "fishing nets").words() == 3


def groups_of(statements: list[list[str]]) -> list[list[Node]]:
    rng = np.random.default_rng(0)
    number = iter(range(1000))
    return [
        [Node(text, "", rng.normal(size=384).astype(np.float32), (next(number),)) for text in group]
        for group in statements
    ]


@pytest.fixture
def own_warehouse(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECONOMIC_INDEX_WAREHOUSE", str(tmp_path))
    monkeypatch.setenv("ECONOMIC_INDEX_THREADS", "1")


@pytest.mark.usefixtures("own_warehouse")
def test_groups_with_the_same_statements_get_different_names() -> None:
    same = ["Clean windows.", "Clean windows at night.", "Weigh parcels.", "Weigh letters."]
    named = [name for name, _ in name_groups(groups_of([same] * 5))]
    assert len({name.lower() for name in named}) == 5
    for name in named:
        assert len(name.split()) <= 12
        assert name[0].isupper()


@pytest.mark.usefixtures("own_warehouse")
def test_names_begin_with_a_verb_of_the_statements() -> None:
    groups = [STATEMENTS[:7], STATEMENTS[7:14], STATEMENTS[14:21], STATEMENTS[21:]]
    verbs = set("plan direct coordinate clean oil perform confer weigh provide keep write analyze".split())  # noqa: SIM905
    for name, description in name_groups(groups_of(groups)):
        assert name.split()[0].lower() in verbs
        assert name.split()[-1].lower() not in {"and", "or", "of", "to", "the", "with", "for"}
        assert all(part.split()[0] in verbs for part in description.split("; "))


@pytest.mark.usefixtures("own_warehouse")
def test_a_group_without_any_phrase_is_still_named() -> None:
    named = name_groups(groups_of([["كتابة تقرير طويل"], ["..."], ["..."]]))
    assert len({name for name, _ in named}) == 3
    assert all(name for name, _ in named)
