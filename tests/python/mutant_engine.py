"""Runs one mutation of the project at a time: a precise edit of a copy, the cheapest real run that shows it, who stops it.

One copy of the project is built once with all of its tests and contracts (facts are stubs that read generated ones, as in
``wall_project``). A mutation edits that copy, rebuilds what it touches with dbt in a forked process, and asks in turn: did
a dbt test, a unit test or a contract fail? does the documented reading of the rule disagree? does the auditor find a
leak? Afterwards the copy is restored.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import wall_project
from wall_project import FACT_SCHEMA, LABEL_SCHEMA, REPO, make_project

DATABASES = ("private.duckdb", "release.duckdb")


@dataclass(frozen=True)
class Edit:
    """``old`` stands exactly once in ``file`` (a path in the repository) and becomes ``new``."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutation:
    """One way to break the wall.

    Attributes:
        name: of the mutation.
        edits: all of them are made.
        run: what is rebuilt, a dbt selection; empty for mutations of the package alone.
        stops: guards of which at least one must stop it: names of dbt nodes, ``audit: <check>``, ``rule: <what>``,
            ``pytest: <test>``, ``publication: <what>``.
        by: how the guards are asked: ``dbt``, ``rule`` (dbt, then the documented rule), ``audit`` (dbt run, then the tables
            of the release), ``bounds`` (the same with joint bounds), ``sql`` (compiled SQL of the marts), ``publication``
            (a drill of publish and ledger) or ``pytest`` (files of tests named in ``run``).
        is_slow: left out of ``make test`` unless ECONOMIC_INDEX_PROOFS is ``all``.
    """

    name: str
    edits: tuple[Edit, ...]
    run: str
    stops: tuple[str, ...]
    by: str = "dbt"
    is_slow: bool = False


@dataclass
class Outcome:
    """What became of a mutation.

    Attributes:
        stopped_by: guards that stopped it; empty for a survivor.
        seconds: wall clock.
    """

    name: str
    stopped_by: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def is_stopped_as_said(self, mutation: Mutation) -> bool:
        """Did one of the named guards stop it?"""
        return any(guard in self.stopped_by for guard in mutation.stops)


def apply(edit: Edit, root: Path) -> None:
    """Make an edit below ``root``.

    Raises:
        AssertionError: the text is not there exactly once, so the mutation says nothing about today's project.
    """
    path = root / edit.file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = text.count(edit.old) if edit.old else int(not path.exists())
    if found != 1:
        raise AssertionError(f"{edit.file}: the text of the mutation stands there {found} times, not once")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace(edit.old, edit.new) if edit.old else edit.new, encoding="utf-8")


def guarded_project(folder: Path) -> Path:
    """The stub project of ``wall_project`` with every test, unit test and contract left in."""
    strip, wall_project._strip_tests = wall_project._strip_tests, lambda node: node
    try:
        project = make_project(folder)
    finally:
        wall_project._strip_tests = strip
    for part in ("generic", "singular", "macros"):
        shutil.copytree(REPO / "tests" / part, project / "tests" / part)
    shutil.copytree(REPO / "python_models" / "audit", project / "models" / "audit")
    settings = (REPO / "dbt_project.yml").read_text(encoding="utf-8")
    paths = 'model-paths: ["models", "python_models"]'
    assert paths in settings
    (project / "dbt_project.yml").write_text(
        settings.replace(paths, 'model-paths: ["models"]'), encoding="utf-8"
    )
    return project


class Engine:
    """A copy of the project that is built once and mutated again and again.

    Attributes:
        folder: everything lies below it.
        project: the stub project that dbt runs.
        whole: copy of the package, its tests and what they read.
        package: ``src`` in it, first on the path of every run.
    """

    def __init__(self, folder: Path, facts: Any, labels: Any, models: Sequence[str]) -> None:
        self.folder = folder
        self.project = guarded_project(folder)
        self.whole = folder / "whole"
        for part in ("src/economic_index", "models", "macros", "seeds", "tests/python"):
            unread = shutil.ignore_patterns("__pycache__", "installed")
            shutil.copytree(REPO / part, self.whole / part, ignore=unread)
        shutil.copy(REPO / "pyproject.toml", self.whole)
        self.package = self.whole / "src"
        pq.write_table(facts.cast(FACT_SCHEMA), folder / "facts.parquet")
        pq.write_table(labels.cast(LABEL_SCHEMA), folder / "labels.parquet")
        rows = "".join(f"{name},{name.title()} model\n" for name in models)
        (self.project / "seeds" / "reference" / "assistant_models.csv").write_text(
            "model,label\n" + rows, encoding="utf-8"
        )
        self.originals: dict[Path, str] = {}
        self.manifest: Any = None
        self.warehouse = folder / "warehouse"
        self.warehouse.mkdir()
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("DBT_", "ECONOMIC_INDEX_"))},
            "ECONOMIC_INDEX_WAREHOUSE": str(self.warehouse),
            "ECONOMIC_INDEX_PROJECT": str(self.project),
            "DBT_TARGET_PATH": str(folder / "target"),
            "DBT_LOG_PATH": str(folder / "logs"),
            "DBT_USE_COLORS": "false",
            "STUB_FACTS": str(folder / "facts.parquet"),
            "STUB_LABELS": str(folder / "labels.parquet"),
            "PYTHONPATH": os.pathsep.join([str(self.package), str(REPO / "tests" / "python")]),
        }

    def build(self) -> None:
        """Build everything once and keep it as the state that every mutation starts from.

        Raises:
            AssertionError: the project without a mutation does not pass its own guards.
        """
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.project)
        # Parsed here, once: most mutations are edits of this parsed project, and the forked process has it in memory.
        from dbt.cli.main import dbtRunner

        self.manifest = dbtRunner().invoke(["parse", *self._given()]).result
        failed = self.dbt("build", "")
        assert failed == [], f"the project as it is does not pass: {failed[:5]}"
        kept = self.folder / "kept"
        kept.mkdir()
        for name in DATABASES:
            shutil.copy(self.warehouse / name, kept / name)
        shutil.copy(self.folder / "target" / "partial_parse.msgpack", kept)

    def restore(self, mutation: Mutation) -> None:
        """Take the edits back and put the databases and the parsed project of the first build in place."""
        for edit in mutation.edits:
            target = self._root(mutation, edit) / edit.file
            if target in self.originals:
                target.write_text(self.originals.pop(target), encoding="utf-8")
            elif not edit.old:
                target.unlink()
        for name in DATABASES:
            (self.warehouse / f"{name}.wal").unlink(missing_ok=True)
            shutil.copy(self.folder / "kept" / name, self.warehouse / name)
        shutil.copy(self.folder / "kept" / "partial_parse.msgpack", self.folder / "target")

    def _root(self, mutation: Mutation, edit: Edit) -> Path:
        return self.whole if mutation.by == "pytest" or edit.file.startswith("src/") else self.project

    def mutate(self, mutation: Mutation) -> None:
        """Make the edits in the copy, the originals being kept aside."""
        for edit in mutation.edits:
            root = self._root(mutation, edit)
            path = root / edit.file
            if edit.old and path not in self.originals:
                self.originals[path] = path.read_text(encoding="utf-8")
            apply(edit, root)

    def outcome(self, mutation: Mutation) -> Outcome:
        """Mutate, run, ask the guards, restore."""
        started = time.monotonic()
        self.mutate(mutation)
        try:
            stopped = ASK[mutation.by](self, mutation)
        finally:
            self.restore(mutation)
        return Outcome(mutation.name, stopped, time.monotonic() - started)

    def _given(self) -> list[str]:
        return ["--project-dir", str(self.project), "--profiles-dir", str(self.project), "--quiet"]

    def dbt(self, command: str, select: str, mutation: Mutation | None = None) -> list[str]:
        """Names of what failed in ``dbt <command> --select <select>``; a name that starts with ``parse:`` for no run at all."""
        arguments = [
            command,
            *(["--select", *select.split()] if select else []),
            *self._given(),
            "--no-write-json",
        ]

        edits = mutation.edits if mutation else ()
        if keeps_its_refs(edits):
            return list(self.forked(lambda: _invoke(arguments, edited(self.manifest, edits))))
        return self.apart("_invoke", arguments, None)

    def apart(self, function: str, *arguments: Any) -> list[str]:
        """Result of a function of this module in a new process: what parses the project anew cannot be forked."""
        code = (
            f"import json, sys, mutant_engine as m; print(json.dumps(m.{function}(*json.loads(sys.argv[1]))))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, json.dumps(arguments)],
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AssertionError(done.stdout[-2000:] + done.stderr[-2000:])
        return list(json.loads(done.stdout.splitlines()[-1]))

    def forked(self, function: Callable[[], Any]) -> Any:
        """Result of a function in a forked process with this engine's environment: nothing of a run stays behind."""
        answer = self.folder / "answer.json"
        answer.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.environ.clear()
                os.environ.update(self.environment)
                sys.path[:0] = [str(self.package)]
                os.chdir(self.project)
                with (self.folder / "printed.txt").open("w") as printed:
                    os.dup2(printed.fileno(), 1)
                    os.dup2(printed.fileno(), 2)
                    answer.write_text(json.dumps(function()), encoding="utf-8")
                code = 0
            except BaseException:
                import traceback

                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(code)
        os.waitpid(child, 0)
        if not answer.exists():
            raise AssertionError((self.folder / "printed.txt").read_text(encoding="utf-8")[-3000:])
        return json.loads(answer.read_text(encoding="utf-8"))


def _close_databases() -> None:
    """A forked process ends without destructors: what dbt left beside the database files goes into them first."""
    import gc

    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    left = DuckDBConnectionManager._ENV
    if left is not None and left.conn is not None:
        for name in DATABASES:
            left.conn.execute(f"checkpoint {Path(name).stem}")
        left.close()
    DuckDBConnectionManager._ENV = None
    gc.collect()


def keeps_its_refs(edits: Sequence[Edit]) -> bool:
    """Can the parsed project be edited in place? Only where no file is new, and no setting and no reference changes."""

    def is_inside(edit: Edit) -> bool:
        adds = edit.new.count("ref(") > edit.old.count("ref(") or "config(" in edit.new
        return bool(edit.old) and edit.file.endswith(".sql") and not adds

    return all(edit.file.startswith(("src/", "seeds/")) or is_inside(edit) for edit in edits)


def edited(manifest: Any, edits: Sequence[Edit]) -> Any:
    """The parsed project with the same edits as its files."""
    for edit in edits:
        if not edit.file.endswith(".sql"):
            continue
        found = 0
        for node in (*manifest.nodes.values(), *manifest.macros.values()):
            if node.original_file_path == edit.file:
                name = "macro_sql" if node.resource_type.value == "macro" else "raw_code"
                found += getattr(node, name).count(edit.old)
                setattr(node, name, getattr(node, name).replace(edit.old, edit.new))
        assert found == 1, f"{edit.file}: dbt has parsed the text of the mutation {found} times"
    return manifest


def _invoke(arguments: list[str], manifest: Any) -> list[str]:
    from dbt.cli.main import dbtRunner

    done = dbtRunner(manifest=manifest).invoke(arguments)
    _close_databases()
    if done.success:
        return []
    results = getattr(done.result, "results", None)
    if not results:
        return [f"parse: {str(done.exception).strip().splitlines()[0]}"]
    bad = [
        r for r in results if str(getattr(r.status, "value", r.status)) in ("error", "fail", "runtime error")
    ]
    return sorted(
        f"{_kind(str(r.message))}: {r.node.name}"
        if r.node.resource_type.value == "model"
        else str(r.node.name)
        for r in bad
    )


def _kind(message: str) -> str:
    """A model fails by its contract (columns, constraints) or by an error, which no guard may be credited with."""
    words = ("constraint", "contract")
    return (
        "contract"
        if any(word in message.lower() for word in words)
        else f"error ({' '.join(message.split())[:120]})"
    )


def ask_dbt(engine: Engine, mutation: Mutation) -> list[str]:
    """Tests, unit tests and contracts of the nodes rebuilt."""
    return engine.dbt("build", mutation.run, mutation)


def ask_rule(engine: Engine, mutation: Mutation) -> list[str]:
    """The rule as docs/privacy.md states it, read again in Python on random worlds (``test_wall_worlds``)."""
    failed = engine.dbt("run", mutation.run, mutation)
    return failed or list(engine.forked(lambda: _worlds_that_differ(engine.warehouse / "private.duckdb")))


def _worlds_that_differ(private: Path) -> list[str]:
    from mutant_facts import mutant_worlds
    from test_wall_worlds import close, query

    found: dict[int, dict[str | None, str | None]] = {}
    for task, child, block in query(
        private, "select task_id, collaboration_pattern, block from wall.wall_pattern_closure"
    ):
        found.setdefault(task, {})[child] = block
    wrong = [task for task, world in mutant_worlds().items() if found.get(task) != close(world)]
    return ["rule: closing of patterns"] if wrong else []


def ask_audit(engine: Engine, mutation: Mutation, attacks: tuple[str, ...] = ("tables",)) -> list[str]:
    """The auditor, on the release that the mutant makes; dbt's tests are not asked, its contracts hold as always."""
    failed = engine.dbt("run", mutation.run, mutation) if mutation.run else []
    return failed or list(engine.forked(lambda: _audited(engine, attacks)))


def ask_bounds(engine: Engine, mutation: Mutation) -> list[str]:
    """The auditor with its joint bounds."""
    return ask_audit(engine, mutation, ("tables", "linkage"))


def _audited(engine: Engine, attacks: tuple[str, ...]) -> list[str]:
    from economic_index.disclosure.audit import audit_path
    from economic_index.disclosure.audit.reference import ReferenceFolders

    folders = ReferenceFolders(engine.project / "seeds" / "reference", engine.project / "seeds" / "sample")
    report = audit_path(engine.warehouse / "release.duckdb", folders, attacks=attacks)
    return sorted({f"audit: {f.check_name} {f.family}" for f in report.findings if f.severity == "leak"})


def ask_after_tests(engine: Engine, mutation: Mutation) -> list[str]:
    """The auditor, after dbt's tests have run on the release of the first build: what do they leave behind?"""
    engine.dbt("test", mutation.run, mutation)
    return list(engine.forked(lambda: _audited(engine, ("tables",))))


def ask_sql(engine: Engine, mutation: Mutation) -> list[str]:
    """The compiled SQL of a mart: only refs, no file functions, no other database."""
    manifest = str(engine.folder / "target" / "manifest.json")
    return engine.apart("_foreign_reads", mutation.run, engine._given(), manifest)


def _foreign_reads(select: str, given: list[str], manifest: str) -> list[str]:
    from dbt.cli.main import dbtRunner
    from sql_relations import foreign_reads

    done = dbtRunner().invoke(["compile", "--select", select, *given, "--no-introspect"])
    if not done.success:
        text = str(done.exception)
        return ["parse: private" if "attempted to reference node" in text else f"parse: {text[:200]}"]
    nodes = json.loads(Path(manifest).read_text(encoding="utf-8"))["nodes"]
    found = []
    for result in done.result.results:
        parents = [nodes[uid] for uid in result.node.depends_on.nodes]
        allowed = {(p["database"].lower(), p["schema"].lower(), p["alias"].lower()) for p in parents}
        if foreign_reads(result.node.compiled_code, allowed):
            found.append("compiled SQL: foreign read")
    return found


def ask_pytest(engine: Engine, mutation: Mutation) -> list[str]:
    """Tests of the package, against the mutated copy of it; ``run`` is what pytest is given."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-o",
            "addopts=",
            *shlex.split(mutation.run),
        ],
        cwd=engine.whole,
        env={**engine.environment, "PYTHONPATH": str(engine.package)},
        capture_output=True,
        text=True,
        check=False,
    )
    failed = [
        line.split(" ")[1].split("::")[1].split("[")[0]
        for line in done.stdout.splitlines()
        if line.startswith("FAILED ")
    ]
    if done.returncode not in (0, 1):
        raise AssertionError(done.stdout[-2000:] + done.stderr[-2000:])
    return [f"pytest: {name}" for name in failed]


def ask_publication(engine: Engine, mutation: Mutation) -> list[str]:
    """A drill of publication on the release of the first build (``publication_drill``): who objects afterwards?"""
    from publication_drill import drill

    return list(engine.forked(lambda: drill(engine, mutation.run)))


ASK: dict[str, Callable[[Engine, Mutation], list[str]]] = {
    "dbt": ask_dbt,
    "rule": ask_rule,
    "audit": ask_audit,
    "bounds": ask_bounds,
    "after_tests": ask_after_tests,
    "sql": ask_sql,
    "pytest": ask_pytest,
    "publication": ask_publication,
}
