"""Break the wall in every known way and see who stops it: prints a table and the score.

    python tests/python/mutation_suite.py                 all mutations
    python tests/python/mutation_suite.py dominance band  those whose name holds one of the words

Exit code 1 where a mutation survives, or is stopped by nobody that the catalogue names. ``tests/python/mutants.py`` is the
catalogue, ``mutant_engine.py`` says how a mutation is run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutant_engine import Engine, Mutation, Outcome
from mutant_facts import MODELS, mutant_facts
from mutants import MUTATIONS


def run(mutations: Iterable[Mutation], say: Callable[[Outcome], None] = lambda _: None) -> list[Outcome]:
    """Outcomes of mutations, on one copy of the project that is thrown away afterwards."""
    # Imported before the first fork, so that every run starts with dbt in memory.
    import dbt.cli.main  # noqa: F401

    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    try:
        engine = Engine(folder, *mutant_facts(), MODELS)
        engine.build()
        outcomes = []
        for mutation in mutations:
            outcomes.append(engine.outcome(mutation))
            say(outcomes[-1])
        return outcomes
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def line(mutation: Mutation, outcome: Outcome) -> str:
    """One row of the table."""
    stopped = ", ".join(outcome.stopped_by[:3]) + (" ..." if len(outcome.stopped_by) > 3 else "")
    verdict = (
        "stopped" if outcome.is_stopped_as_said(mutation) else "STOPPED BY ANOTHER" if stopped else "SURVIVES"
    )
    return f"| {mutation.name} | {verdict} | {stopped} | {outcome.seconds:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="only mutations whose name holds one of these")
    parser.add_argument("--json", type=Path, help="write the outcomes to this file instead of a table")
    parser.add_argument("--quick", action="store_true", help="without the mutations that are marked slow")
    given = parser.parse_args()
    chosen = [
        mutation
        for mutation in MUTATIONS
        if (not given.words or any(word in mutation.name for word in given.words))
        and not (given.quick and mutation.is_slow)
    ]
    by_name = {mutation.name: mutation for mutation in chosen}
    started = time.monotonic()
    if not given.json:
        print("| mutation | verdict | stopped by | seconds |\n|---|---|---|---|")

    def say(outcome: Outcome) -> None:
        if not given.json:
            print(line(by_name[outcome.name], outcome), flush=True)

    outcomes = run(chosen, say)
    stopped = sum(outcome.is_stopped_as_said(by_name[outcome.name]) for outcome in outcomes)
    if given.json:
        given.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes]), encoding="utf-8")
        return
    score = 100 * stopped / max(1, len(outcomes))
    print(
        f"\nMutation score: {stopped} of {len(outcomes)} ({score:.0f} %), {time.monotonic() - started:.0f} s"
    )
    sys.exit(0 if stopped == len(outcomes) else 1)


if __name__ == "__main__":
    main()
