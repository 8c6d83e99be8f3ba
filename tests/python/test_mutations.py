"""The wall broken in every known way: each mutation is stopped by a guard that the catalogue names, none survives.

``python tests/python/mutation_suite.py`` prints the table. Mutations marked slow run with ``ECONOMIC_INDEX_PROOFS=all``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from mutant_engine import Edit, Mutation, Outcome, apply
from mutants import MUTATIONS
from wall_project import REPO

IS_COMPLETE = os.environ.get("ECONOMIC_INDEX_PROOFS", "") == "all"
CHOSEN = [mutation for mutation in MUTATIONS if IS_COMPLETE or not mutation.is_slow]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """All outcomes, from one process that builds the project once and forks for each mutation."""
    path = tmp_path_factory.mktemp("mutations") / "outcomes.json"
    suite = Path(__file__).with_name("mutation_suite.py")
    command = [sys.executable, str(suite), "--json", str(path), *(() if IS_COMPLETE else ("--quick",))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = [Outcome(**values) for values in json.loads(path.read_text(encoding="utf-8"))]
    return {outcome.name: outcome for outcome in found}


@pytest.mark.parametrize("mutation", CHOSEN, ids=lambda mutation: mutation.name)
def test_is_stopped_by_the_guard_that_is_named(mutation: Mutation, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[mutation.name]
    assert outcome.stopped_by, "the mutation survives: no test, contract or audit sees it"
    assert outcome.is_stopped_as_said(mutation), outcome.stopped_by


def test_the_catalogue_is_complete_and_every_text_stands_once() -> None:
    names = Counter(mutation.name for mutation in MUTATIONS)
    assert len(MUTATIONS) >= 90 and max(names.values()) == 1
    assert sum(not mutation.is_slow for mutation in MUTATIONS) >= 0.6 * len(MUTATIONS)
    lost = []
    for mutation in MUTATIONS:
        assert mutation.stops, mutation.name
        for edit in mutation.edits:
            path = REPO / edit.file
            found = path.read_text(encoding="utf-8").count(edit.old) if edit.old else int(not path.exists())
            if found != 1:
                lost.append(f"{mutation.name}: the text stands {found} times in {edit.file}")
    assert lost == []


def test_a_text_that_is_not_there_once_fails_loudly(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("select 1 union all select 1", encoding="utf-8")
    for old in ("select 1", "select 2"):
        with pytest.raises(AssertionError, match="times, not once"):
            apply(Edit("a.sql", old, "select 3"), tmp_path)
    apply(Edit("a.sql", "union all", "union"), tmp_path)
    assert (tmp_path / "a.sql").read_text(encoding="utf-8") == "select 1 union select 1"
