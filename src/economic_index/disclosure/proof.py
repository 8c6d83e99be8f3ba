"""What the wall promises, shown on one release: the attacker's harvest beside that on naive suppression of the same data.

Every number is worked out here and now: the auditor's joint bounds, naive suppression of the same conversations, the mass
that closing costs, texts outside the vocabularies, planted canaries, values of private columns.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from economic_index.disclosure.audit import AuditReport, audit
from economic_index.disclosure.audit.catalogue import MARTS
from economic_index.disclosure.audit.findings import LEAK
from economic_index.disclosure.audit.naive import naive_of_private
from economic_index.disclosure.audit.reference import ReferenceFolders
from economic_index.disclosure.audit.release import read_release
from economic_index.disclosure.audit.scan import private_values, read_canaries, scan_files
from economic_index.disclosure.audit.structure import TABLES_THAT_MAY_BE_EMPTY
from economic_index.disclosure.mass import Mass, mass_of
from economic_index.errors import UserError
from economic_index.paths import project_root

OnStep = Callable[[str], None]
COUNTS = ("n_withheld", "n_exact", "n_narrow", "n_proven_present")
# Models that need what the engines leave behind; the proof is about the wall and does without them.
UNNEEDED = ("path:models/marts/robustness", "path:models/marts/reproduction", "path:models/wall/imported")
UNNEEDED_DOORS = ("wall_public_reconstruction", "wall_public_validation", "wall_public_design_effects")
WALL = (
    "task_hierarchy",
    "task_ancestors",
    "task_paths",
    "path:models/wall",
    "path:models/marts",
    "path:python_models/corrections",
    "path:python_models/earlier",
    "wall_draws",
    "wall_run",
)


@dataclass
class Proof:
    """The shows of one release.

    Attributes:
        report: of the auditor.
        attacked: totals of ``COUNTS`` over all families, and per family also the narrowest interval.
        naive: per table what naive suppression of the same conversations gives away; empty without a private database.
        mass: per table the labelled mass lost.
        n_texts, n_strange_texts: texts looked up in the vocabularies, and those found in none.
        n_canaries, n_canaries_found: planted tokens, and files they are in.
        n_private_values, n_private_found: values of private columns looked for, and columns found.
        seconds: per step.
    """

    report: AuditReport
    attacked: dict[str, int] = field(default_factory=dict)
    families: dict[str, dict[str, Any]] = field(default_factory=dict)
    naive: dict[str, dict[str, int]] = field(default_factory=dict)
    mass: list[Mass] = field(default_factory=list)
    n_texts: int = 0
    n_strange_texts: int = 0
    n_canaries: int = 0
    n_canaries_found: int = 0
    n_private_values: int = 0
    n_private_found: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Nothing recovered, nothing strange, nothing private."""
        found = (self.n_strange_texts, self.n_canaries_found, self.n_private_found)
        return self.report.is_clean and not any(found) and not any(self.attacked[name] for name in COUNTS[1:])

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "release_id": self.report.release_id,
            "holds": self.holds,
            "attacked": self.attacked,
            "families": self.families,
            "naive_suppression": self.naive,
            "mass": [{**asdict(row), "lost": row.lost} for row in self.mass],
            "n_texts": self.n_texts,
            "n_strange_texts": self.n_strange_texts,
            "n_canaries": self.n_canaries,
            "n_canaries_found": self.n_canaries_found,
            "n_private_values": self.n_private_values,
            "n_private_found": self.n_private_found,
            "findings": [asdict(finding) for finding in self.report.findings],
            "worst": self.report.figures.get("linkage", {}).get("worst", []),
            "seconds": self.seconds,
        }


def prove(
    target: Path,
    private: Path,
    folders: ReferenceFolders | None = None,
    *,
    canaries: Path | None = None,
    is_partial: bool = False,
    on_step: OnStep | None = None,
) -> Proof:
    """Attack a release and count.

    Args:
        target: release folder or DuckDB file.
        private: private database of the same build; what needs it is left out where it does not exist.
        folders: public seeds; those of the project by default.
        canaries: file of planted tokens.
        is_partial: marts that may be empty may be missing (``build_synthetic``).

    Raises:
        UserError: there is no release, or its bounds could not be worked out.
    """
    say = on_step or (lambda _: None)
    seconds: dict[str, float] = {}

    def step(name: str) -> None:
        say(name)
        seconds[name] = time.monotonic()

    step("attack")
    release = read_release(target)
    if is_partial:
        for name in sorted(TABLES_THAT_MAY_BE_EMPTY - set(release.tables)):
            release.tables[name] = _empty(name)
    report = audit(release, folders, on_step=say)
    proof = Proof(report)
    linkage = report.figures.get("linkage", {})
    proof.families = {**linkage.get("families", {}), **linkage.get("cube", {}).get("families", {})}
    proof.attacked = {name: sum(f.get(name, 0) for f in proof.families.values()) for name in COUNTS}
    if not proof.families and report.is_clean:
        raise UserError("The joint bounds of the release could not be worked out; run economic-index audit.")
    proof.n_texts = int(report.figures.get("n_texts_looked_up", 0))
    proof.n_strange_texts = sum(f.check_name == "vocabulary" for f in report.findings)
    step("byte scan")
    found = scan_files(target, canaries=canaries, private=private)
    proof.n_canaries = len(read_canaries(canaries)) if canaries else 0
    proof.n_canaries_found = sum("canaries" in finding.sentence for finding in found)
    if private.is_file():
        proof.n_private_values = len(private_values(private))
        proof.n_private_found = len(found) - proof.n_canaries_found
        step("naive suppression")
        proof.naive = naive_of_private(private, folders)
        step("mass")
        proof.mass = mass_of(private)
    names, ends = list(seconds), [*list(seconds.values())[1:], time.monotonic()]
    proof.seconds = {name: round(end - seconds[name], 1) for name, end in zip(names, ends, strict=True)}
    return proof


def _empty(name: str) -> pa.Table:
    mart = MARTS[name]
    columns = sorted({*mart.key, *mart.values, *mart.texts})
    kinds = [pa.string() if column in mart.texts else pa.float64() for column in columns]
    return pa.table({column: pa.array([], kind) for column, kind in zip(columns, kinds, strict=True)})


@dataclass(frozen=True)
class Synthetic:
    """What ``build_synthetic`` made.

    Attributes:
        candidate: release database.
        private: private database.
        canaries: file of planted tokens.
        folders: public seeds without a built hierarchy: a stand-in takes its place, which no vocabulary of nodes lists.
    """

    candidate: Path
    private: Path
    canaries: Path
    folders: ReferenceFolders


def build_synthetic(n: int, folder: Path, *, on_step: OnStep | None = None) -> Synthetic:
    """The wall and the marts over ``n`` synthetic conversations with planted canaries, in a warehouse of their own.

    The taxonomy is what ``ECONOMIC_INDEX_TAXONOMY`` names, the sample by default; the hierarchy of tasks stands in for the
    built one (SOC groups and occupations).

    Raises:
        UserError: dbt failed; the sentence names its log.
    """
    from economic_index.sample.synthetic import canary_tokens, plant_canaries, write_facts, write_stand_ins

    say = on_step or (lambda _: None)
    warehouse = folder / "warehouse"
    environment = {
        **os.environ,
        "ECONOMIC_INDEX_WAREHOUSE": str(warehouse),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    say("reference data")
    database = warehouse / "private.duckdb"
    tests = ("resource_type:test", "resource_type:unit_test")
    reference = ("path:seeds", "path:models/staging/onet", "path:models/staging/bls", "path:models/reference")
    _dbt(environment, "build", reference, (*tests, "task_hierarchy_built+"))
    say(f"{n:,} synthetic conversations")
    write_facts(database, n)
    tokens = folder / "canaries.txt"
    tokens.write_text("\n".join(canary_tokens()) + "\n", encoding="utf-8")
    plant_canaries(database, tokens)
    write_stand_ins(database)
    say("wall and marts")
    _dbt(environment, "run", WALL, (*UNNEEDED, *UNNEEDED_DOORS))
    project = ReferenceFolders.of_project()
    return Synthetic(
        warehouse / "release.duckdb", database, tokens, ReferenceFolders(project.registry, project.taxonomy)
    )


def _dbt(
    environment: dict[str, str], command: str, select: tuple[str, ...], exclude: tuple[str, ...]
) -> None:
    dbt = str(Path(sys.executable).parent / "dbt")
    arguments = [dbt, command, "--quiet", "--select", *select, "--exclude", *exclude]
    done = subprocess.run(
        arguments, cwd=project_root(), env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        # The conversations are made up: what dbt says about them is no secret.
        said = " ".join(line.strip() for line in done.stdout.splitlines() if "rror" in line)
        raise UserError(
            f"dbt {command} failed on the synthetic conversations: {said[:400] or 'it says nothing'}"
        )


def describe(proof: Proof) -> str:
    """The shows for people."""
    total = proof.attacked
    lines = [
        f"Release {proof.report.release_id or 'without an id'}: {'holds' if proof.holds else 'DOES NOT HOLD'}",
        "",
        "| attacked | withheld cells | exact | within less than 10 | proven present | narrowest interval |",
        "|---|---|---|---|---|---|",
        *(
            f"| {family} | {f['n_withheld']:,} | {f['n_exact']} | {f['n_narrow']} | "
            f"{f['n_proven_present']} | "
            f"{'-' if f['narrowest'] is None else format(f['narrowest'], ',.0f')} |"
            for family, f in sorted(proof.families.items())
        ),
        f"| all of this release | {total['n_withheld']:,} | {total['n_exact']} | {total['n_narrow']} | "
        f"{total['n_proven_present']} | |",
    ]
    lines += [
        f"| naive 15/5 of the same data, {family} | {f['n_withheld']:,} | {f['n_exact']:,} | "
        f"{f['n_narrow']:,} | {f['n_proven_present']:,} | |"
        for family, f in proof.naive.items()
    ]
    if not proof.report.figures.get("linkage", {}).get("cube", {}).get("is_complete", True):
        lines.append("Bounds over country, SOC group and pattern were not finished in the time they have.")
    if proof.mass:
        lines += [
            "",
            "| labelled mass shown | cells shown | thresholds alone | primary rule alone | wall | lost, points |",
            "|---|---|---|---|---|---|",
            *(
                f"| {row.table} | {row.n_shown:,} of {row.n_cells:,} | {row.thresholds:.2f} % | "
                f"{row.primary:.2f} % | {row.wall:.2f} % | {row.lost:.2f} |"
                for row in proof.mass
            ),
        ]
    lines += [
        "",
        f"texts outside the vocabularies: {proof.n_strange_texts} of {proof.n_texts:,}",
        f"files with one of {proof.n_canaries:,} planted canaries: {proof.n_canaries_found}",
        f"private columns with one of {proof.n_private_values:,} values in the files: {proof.n_private_found}",
        "seconds: " + ", ".join(f"{name} {value}" for name, value in proof.seconds.items()),
    ]
    lines += [
        f"  [{f.severity}] {f.attack} {f.check_name} {f.family} {f.cell}: {f.sentence}"
        for f in proof.report.findings
        if f.severity == LEAK
    ]
    return "\n".join(lines)
