"""Differentially private releases: refuse, spend epsilon, draw, write. Never beside exact tables of the window.

Layout: ``<releases>/dp-<id>/`` holds the files of a release, ``<releases>/dp_ledger/release_ledger.jsonl``
what was spent. The ledger is a chain of its own, made and checked by ``release.ledger``: a window may be released
several times until its epsilon is spent, which the rules for exact releases forbid.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from economic_index import __version__
from economic_index.disclosure.audit.scan import scan_files
from economic_index.disclosure.differential_privacy import Mechanism, bounded_counts, make_mechanism
from economic_index.errors import RefusedError, UserError
from economic_index.keys import load_key
from economic_index.paths import private_database, releases
from economic_index.release import ledger
from economic_index.release.files import (
    canonical,
    csv_bytes,
    file_hash,
    flush,
    text_hash,
    write_database,
    write_file,
    write_parquet,
)
from economic_index.release.ledger import LedgerRow, Window
from economic_index.release.private_tables import (
    ACCURACY,
    KEYS,
    MANIFEST,
    TASKS,
    build_tables,
    comments,
    opened,
    read_reference,
    read_run,
)

FAMILY = "dp"
LEDGER_FOLDER = "dp_ledger"
# Not manifest.json: no command for exact releases takes the folder for one of them.
MANIFEST_FILE = "dp-manifest.json"
STAGING = ".dp-staging-"
DEFAULT_MAX_EPSILON = 1.0
_NAME = re.compile(r"dp-[0-9a-f]{16}")
_SHOWN = (
    "taxonomy_release",
    "soc_vintage",
    "taxonomy_hash",
    "is_sample_taxonomy",
    "engine",
    "engine_identity",
    "strategy",
    "window_start",
    "window_end",
    "population",
    "is_test_accounts",
)


@dataclass(frozen=True)
class PrivateRelease:
    """Outcome of ``release_privately``.

    Attributes:
        release_id: ``dp-`` and 16 random hex digits.
        folder: where it lies.
        epsilon: spent by this release.
        epsilon_spent: by all releases whose window can hold the same conversations, this one included.
        max_epsilon: the limit of the window.
        max_conversations_per_account: C.
        noise_scale: C / epsilon.
        accuracy: rows of the table ``dp_accuracy``.
        n_files: files in the folder.
        n_bytes: their size.
    """

    release_id: str
    folder: Path
    epsilon: float
    epsilon_spent: float
    max_epsilon: float
    max_conversations_per_account: int
    noise_scale: float
    accuracy: list[dict[str, Any]]
    n_files: int
    n_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {**asdict(self), "folder": str(self.folder)}


def dp_releases_of_window(into: Path, window: Window) -> list[str]:
    """Names of the differentially private releases in ``into`` that can hold conversations of ``window``,
    sorted.

    Both the ledger and the folders are read, so that a release counts although one of them was lost.

    Raises:
        RefusedError: the ledger or a manifest cannot be read.
    """
    found = {row.release_id for row in _rows(into) if _window(row).overlaps(window)}
    for path in _folders(into):
        try:
            facts = json.loads((path / MANIFEST_FILE).read_text(encoding="utf-8"))["release"]
            if ledger.window_of(facts).overlaps(window):
                found.add(path.name)
        except (OSError, ValueError, KeyError, TypeError, UserError) as error:
            raise RefusedError(
                f"The release folder {path} has no readable {MANIFEST_FILE}; restore it from its backup."
            ) from error
    return sorted(found)


def refuse_beside_dp(into: Path, window: Window) -> None:
    """Refuse an exact release of a window that has a differentially private one: for ``publish`` to call.

    Raises:
        RefusedError: there is such a release.
    """
    there = dp_releases_of_window(into, window)
    if there:
        raise RefusedError(
            f"The window was released with differential privacy as {there[0]}, and exact tables beside "
            "noisy ones would take the noise off again; choose another window."
        )


def dp_ledger_faults(into: Path, accounts: Path | None = None) -> list[str]:
    """Sentences on every break of the chain of dp releases and every folder that differs from the ledger.

    Args:
        into: folder of releases.
        accounts: folder whose ledger was charged; ``into`` by default.
    """
    rows = ledger.read_ledger((accounts or into) / LEDGER_FOLDER)
    faults = [f"Of the dp ledger: {fault}" for fault in ledger.chain_faults(rows)]
    known = {row.release_id: row for row in rows}
    for folder in _folders(into):
        if folder.name not in known:
            faults.append(f"The folder {folder.name} is not in the dp ledger, so its epsilon is not counted.")
        else:
            faults += _folder_faults(folder, known[folder.name])
    return faults


def release_privately(
    *,
    epsilon: float,
    max_conversations_per_account: int,
    max_epsilon: float = DEFAULT_MAX_EPSILON,
    output: Path | None = None,
    accounts: Path | None = None,
    private: Path | None = None,
    allow_test_accounts: bool = False,
    on_step: Callable[[str], None] | None = None,
) -> PrivateRelease:
    """Draw and write one differentially private release.

    Args:
        epsilon: spent by this release, at least 0.001.
        max_conversations_per_account: C, 1 to 10,000.
        max_epsilon: the limit for all releases of the window together.
        output: folder in which ``dp-<id>/`` is made; ``accounts`` by default.
        accounts: releases whose ledger is charged, whatever ``output`` is; ``releases/`` by default.
        private: private database, opened read-only.
        allow_test_accounts: release although every conversation has a surrogate account.
        on_step: called with the name of each step.

    Raises:
        RefusedError: a rule forbids the release; nothing was written and nothing spent.
        UserError: an argument is out of range, opendp is missing, or the private database is not there.
    """
    say = on_step or (lambda _: None)
    if not (max_epsilon > 0 and max_epsilon < float("inf")):
        raise UserError(
            "The limit of epsilon for a window has to be a positive number; give --max-epsilon 1."
        )
    mechanism = make_mechanism(max_conversations_per_account, epsilon)
    accounts = accounts or releases()
    output = output or accounts
    private = private or private_database()
    key = load_key("sampling")
    with _locked(accounts, output):
        with opened(private) as connection:
            run = read_run(connection)
            window = refuse_run(run, allow_test_accounts)
            for folder in {accounts.resolve(), output.resolve()}:
                _finish(folder, accounts)
                _refuse_faults(folder, accounts)
                refuse_beside_exact(folder, window)
            spent = refuse_spent(accounts, window, epsilon, max_epsilon)
            say("bounding the accounts")
            reference = read_reference(connection)
            counts = bounded_counts(connection, max_conversations_per_account, key)
        release_id = f"dp-{secrets.token_hex(8)}"
        say("noise")
        listed = [task_id for task_id, _ in reference.tasks]
        noisy = dict(zip(listed, mechanism.release([counts[task_id] for task_id in listed]), strict=True))
        facts = _facts(run, mechanism, epsilon, spent, max_epsilon, len(listed), sum(noisy.values()))
        built = build_tables(release_id, reference, noisy, mechanism, facts)
        tables = {name: canonical(table, KEYS[name]) for name, table in built.items()}
        say("files")
        staging, folder = output / f"{STAGING}{release_id}", output / release_id
        try:
            _stage(staging, release_id, tables, facts)
            say("byte scan")
            leaks = scan_files(staging, private=private)
            if leaks:
                raise RefusedError(f"The files of the release hold what they must not: {leaks[0].sentence}")
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        # Spent before anybody can see a number. Should the process die here, the next one does the rename.
        _charge(accounts, staging, release_id, tables, window, epsilon)
        _promote(staging, folder)
    return PrivateRelease(
        release_id,
        folder,
        epsilon,
        float(spent),
        max_epsilon,
        max_conversations_per_account,
        mechanism.scale,
        tables[ACCURACY].to_pylist(),
        sum(1 for path in folder.rglob("*") if path.is_file()),
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    )


def refuse_run(run: Mapping[str, Any], allow_test_accounts: bool) -> Window:
    """The window of the run, where its accounts and its choice of conversations allow a promise.

    Raises:
        RefusedError: surrogate accounts, or a drawn sample of fixed size.
    """
    window = ledger.window_of(run)
    if run.get("sample_n") not in (None, "all"):
        # One account less lets others into a draw of fixed size: more than C counts would move.
        raise RefusedError(
            "The build drew a sample of fixed size (sample_n), in which one account's leaving lets others "
            "in, so no promise about an account holds; run dbt build with sample_n: null."
        )
    if run.get("is_test_accounts") and not allow_test_accounts:
        raise RefusedError(
            "The accounts are surrogates, one for each conversation, so a promise about accounts is "
            "empty; use --allow-test-accounts for a trial that nobody else sees."
        )
    return window


def refuse_beside_exact(into: Path, window: Window) -> None:
    """Refuse a window of which exact tables are published in ``into``.

    Raises:
        RefusedError: there is such a release, or the ledger of exact releases is broken.
    """
    for row in ledger.refuse_broken(into):
        if _window(row).overlaps(window):
            raise RefusedError(
                f"Exact tables of the window are published as release {row.release_id}, and noise beside "
                "exact tables protects nobody; choose another window, or another releases folder for "
                "trials."
            )


def refuse_spent(accounts: Path, window: Window, epsilon: float, max_epsilon: float) -> Decimal:
    """Epsilon spent on the window with this release.

    Windows that overlap share conversations, so each of them counts in full. Sums are decimal: three times
    0.1 is 0.3.

    Raises:
        RefusedError: the limit would be passed.
    """
    before = sum(
        (_decimal(row.epsilon) for row in _rows(accounts) if _window(row).overlaps(window)), start=Decimal(0)
    )
    after = before + _decimal(epsilon)
    if after > _decimal(max_epsilon):
        raise RefusedError(
            f"The window has spent epsilon {before} of {max_epsilon:g}, and {epsilon:g} more would pass "
            "the limit; take a smaller --epsilon, or raise --max-epsilon knowing that the promise weakens."
        )
    return after


def _decimal(value: float | None) -> Decimal:
    return Decimal(repr(float(value or 0)))


def _window(row: LedgerRow) -> Window:
    return Window(row.window_start, row.window_end, row.population)


def _rows(into: Path) -> list[LedgerRow]:
    rows = ledger.read_ledger(into / LEDGER_FOLDER)
    faults = ledger.chain_faults(rows)
    if faults:
        raise RefusedError(
            f"The dp ledger in {into / LEDGER_FOLDER} is broken: {faults[0]} Restore it from its backup."
        )
    return rows


def _folders(into: Path) -> list[Path]:
    there = into.iterdir() if into.is_dir() else iter(())
    return sorted(path for path in there if _NAME.fullmatch(path.name) and path.is_dir())


def _refuse_faults(into: Path, accounts: Path) -> None:
    faults = dp_ledger_faults(into, accounts)
    if faults:
        raise RefusedError(
            f"{faults[0]} Nothing is released until the folder {into} is restored from its backup."
        )


def _folder_faults(folder: Path, row: LedgerRow) -> list[str]:
    path = folder / MANIFEST_FILE
    if not path.is_file() or file_hash(path) != row.manifest_hash:
        return [f"The manifest of release {folder.name} is not the one in the dp ledger."]
    listed: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["files"]
    there = {str(found.relative_to(folder)) for found in folder.rglob("*") if found.is_file()} - {
        MANIFEST_FILE
    }
    faults = [
        f"The file {name} of release {folder.name} was added or removed."
        for name in sorted(there ^ set(listed))
    ]
    faults += [
        f"The file {name} of release {folder.name} was changed after it was published."
        for name in sorted(there & set(listed))
        if file_hash(folder / name) != listed[name]["sha256"]
    ]
    return faults


@contextmanager
def _locked(*folders: Path) -> Iterator[None]:
    """Hold the publication locks of all folders, always in the same order."""
    with ExitStack() as stack:
        for folder in sorted({folder.resolve() for folder in folders}):
            stack.enter_context(ledger.locked(folder))
        yield


def _facts(
    run: Mapping[str, Any],
    mechanism: Mechanism,
    epsilon: float,
    spent: Decimal,
    max_epsilon: float,
    n_tasks: int,
    total: int,
) -> dict[str, str]:
    """Items of ``dp_manifest``: parameters, public facts and noisy numbers, nothing else.

    The id of the exact release is left out: it is a function of every conversation.
    """
    shown = {name: _text(run.get(name)) for name in _SHOWN}
    return {
        "product": "differentially private counts",
        "promise": (
            "with or without all conversations of one account, every outcome is as likely up to a factor "
            "of exp(epsilon)"
        ),
        "privacy_unit": "account; all conversations without an account are one account",
        "epsilon": repr(float(epsilon)),
        "epsilon_of_the_window": str(spent),
        "max_epsilon_of_the_window": f"{max_epsilon:g}",
        "max_conversations_per_account": str(mechanism.max_conversations),
        "noise": "discrete Laplace, OpenDP make_laplace, over every task of the taxonomy",
        "noise_scale": repr(mechanism.scale),
        "opendp_version": mechanism.opendp_version,
        "opendp_features": "contrib: OpenDP has not finished vetting the proofs of this mechanism",
        "negative_counts": "kept; only shares are clamped to 0..1",
        "n_tasks": str(n_tasks),
        "n_conversations_noisy_total": str(total),
        "project_version": __version__,
        **shown,
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "all" if value is None else str(value)


def _stage(staging: Path, release_id: str, tables: Mapping[str, pa.Table], facts: Mapping[str, str]) -> None:
    """Write all files below ``staging``, which nobody else can enter until it is promoted."""
    staging.mkdir(mode=0o700)
    for part in ("csv", "parquet"):
        (staging / part).mkdir(mode=0o755)
    write_database(staging / "release.duckdb", dict(tables), comments())
    for name, table in tables.items():
        write_file(staging / "csv" / f"{name}.csv", csv_bytes(table))
        write_parquet(staging / "parquet" / f"{name}.parquet", table)
    described = comments()
    manifest = {
        "manifest_version": 1,
        "release_id": release_id,
        "content_hash": _content_hash(tables),
        "release": dict(facts),
        "versions": {"economic_index": __version__, "duckdb": duckdb.__version__, "pyarrow": pa.__version__},
        "tables": {
            name: {
                "description": described[(name, "")],
                "grain": list(KEYS[name]),
                "n_rows": table.num_rows,
                "columns": [
                    {
                        "name": field.name,
                        "type": str(field.type),
                        "description": described.get((name, field.name), ""),
                    }
                    for field in table.schema
                ],
            }
            for name, table in tables.items()
        },
        "files": {
            str(path.relative_to(staging)): {"sha256": file_hash(path), "bytes": path.stat().st_size}
            for path in sorted(staging.rglob("*"))
            if path.is_file()
        },
    }
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    write_file(staging / MANIFEST_FILE, text.encode())
    for folder in (staging / "csv", staging / "parquet", staging):
        flush(folder)


def _content_hash(tables: Mapping[str, pa.Table]) -> str:
    return text_hash(
        "".join(f"{name}:{text_hash(csv_bytes(tables[name]))}\n" for name in sorted(tables)).encode()
    )


def _charge(
    accounts: Path,
    staging: Path,
    release_id: str,
    tables: Mapping[str, pa.Table],
    window: Window,
    epsilon: float,
) -> None:
    """Write the ledger row of the release."""
    (accounts / LEDGER_FOLDER).mkdir(parents=True, exist_ok=True)
    facts = csv_bytes(tables[MANIFEST])
    row = {
        "release_id": release_id,
        "corrects": None,
        "window_start": window.start,
        "window_end": window.end,
        "population": window.population,
        "family": FAMILY,
        "block_map_hash": text_hash(csv_bytes(tables[TASKS].select(["task_id"]))),
        "value_hash": _content_hash(tables),
        "input_manifest_hash": text_hash(facts),
        "policy_hash": text_hash(csv_bytes(tables[ACCURACY].drop_columns(["release_id"]))),
        "audit_hash": "",
        "manifest_hash": file_hash(staging / MANIFEST_FILE),
        "epsilon": epsilon,
    }
    ledger.append(accounts / LEDGER_FOLDER, [row])
    flush(accounts / LEDGER_FOLDER)


def _promote(staging: Path, folder: Path) -> None:
    """Make everything read-only and give the folder its name."""
    for path in sorted(staging.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    staging.rename(folder)
    folder.chmod(0o555)
    flush(folder.parent)


def _finish(into: Path, accounts: Path) -> None:
    """Complete or clear what a killed run left: a charged release is promoted, anything else is removed."""
    known = {row.release_id: row.manifest_hash for row in _rows(accounts)}
    for staging in into.glob(f"{STAGING}*"):
        release_id = staging.name.removeprefix(STAGING)
        path = staging / MANIFEST_FILE
        if path.is_file() and known.get(release_id) == file_hash(path):
            _promote(staging, into / release_id)
        else:
            for part in (staging, *staging.rglob("*")):
                if part.is_dir():
                    part.chmod(0o700)
            shutil.rmtree(staging, ignore_errors=True)
