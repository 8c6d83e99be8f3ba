"""What was asked and paid: the durable record beside the answer ledger, and what the present labels cost.

Two accounts, kept apart:

* **spent**: every call of every run, retries, repairs and failures included, written while the calls come in
  (``warehouse/usage.sqlite``; a kill loses what came in since the last commit, at most a twentieth of a second).
  A run that asks nothing adds nothing and wipes nothing.
* **study**: what the answers cost that the labels and the hierarchy in the warehouse rest on, each answer once,
  whenever and by whichever run it was paid for. It is a function of the questions and of the ledger, so it is the
  same after a kill and after any number of re-runs: only this account may be summed (and rounded) into a release.

The file holds names of stages and models, counts and costs; nothing of a conversation.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from economic_index.engines.base import Answer, Bill
from economic_index.errors import UserError

NANO = 1_000_000_000
_BUSY_SECONDS = 120.0
_APPLICATION_ID = 0x45495553  # "EIUS": tells the file from any other SQLite file
_PROCESS = f"process-{uuid.uuid4().hex}"

#: Whole numbers that are kept for each run, stage, model and mode.
COUNTERS = (
    "n_questions",
    "n_calls",
    "n_retries",
    "n_ok",
    "n_invalid",
    "n_refused",
    "n_failed",
    "n_stopped_by_budget",
    "n_cut_conversations",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "cost_nanousd",
)
Spent = Mapping[tuple[str, str, str], Sequence[int]]


def _counts(*names: str) -> list[pa.Field]:
    return [pa.field(name, pa.int64(), nullable=False) for name in names]


#: The dbt model ``run_usage``, one row per stage; see its YAML for the meaning of the columns.
SCHEMA = pa.schema(
    [
        pa.field("stage", pa.string(), nullable=False),
        pa.field("models", pa.string(), nullable=False),
        pa.field("modes", pa.string(), nullable=False),
        *_counts("n_answers", "answer_input_tokens", "answer_cached_tokens", "answer_output_tokens"),
        pa.field("answer_cost_usd", pa.float64()),
        *_counts("n_runs", *COUNTERS[:-1]),
        pa.field("cost_usd", pa.float64(), nullable=False),
        *_counts("last_run_n_calls", "last_run_input_tokens", "last_run_output_tokens"),
        pa.field("last_run_cost_usd", pa.float64(), nullable=False),
    ]
)


@dataclass
class StudyUsage:
    """What the answers of one stage cost, each once. ``n_unpriced``: answers whose model had no price."""

    model: str = ""
    n_answers: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_nanousd: int = 0
    n_unpriced: int = 0

    def add(self, bill: Bill) -> None:
        """Count one answer."""
        self.n_answers += 1
        self.input_tokens += bill.input_tokens
        self.cached_tokens += bill.cached_tokens
        self.output_tokens += bill.output_tokens
        self.cost_nanousd += bill.cost_nanousd or 0
        self.n_unpriced += bill.cost_nanousd is None


class Tally:
    """Sums the bills of distinct answers by stage; memory does not grow with their number.

    Which answers were counted is remembered in a nameless temporary database, opened when the first one comes
    that cost anything: an engine without cost leaves no trace.
    """

    def __init__(self) -> None:
        self.stages: dict[str, StudyUsage] = {}
        self._seen: sqlite3.Connection | None = None

    def add(self, key: bytes, stage: str, answer: Answer) -> None:
        """Count an answer, unless its key was counted before, it is a technical failure, or it cost nothing."""
        bill = _bill(answer)
        if bill is None or answer.status == "failed":
            return
        if self._seen is None:
            self._seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._seen.execute("create table seen (key blob primary key) without rowid")
            self._seen.execute("begin")
        if self._seen.execute("insert or ignore into seen values (?)", (key,)).rowcount:
            self.stages.setdefault(stage, StudyUsage()).add(bill)

    def name_models(self, identity: Mapping[str, str]) -> None:
        """Note which model answered each stage, from ``Engine.identity()``."""
        for stage, used in self.stages.items():
            used.model = identity.get(f"model_{stage}") or identity.get("model_default", "")

    def as_rows(self) -> dict[str, dict[str, Any]]:
        """The sums by stage, for ``UsageStore.set_study`` and for the metadata of an artefact."""
        return {stage: asdict(used) for stage, used in sorted(self.stages.items())}


def _bill(answer: Answer) -> Bill | None:
    """The bill of an answer; one that an older version stored without it has tokens but no price."""
    used = answer.usage
    if answer.bill is not None or not used.calls:
        return answer.bill
    return Bill(used.input_tokens, used.cache_read_tokens + used.cache_write_tokens, used.output_tokens)


def current_run() -> str:
    """Names the run that is going on: dbt's invocation, or this process where dbt does not run.

    Read from dbt itself and not from a configuration value: what YAML renders is kept by partial parsing, so a
    later run would be taken for an earlier one.
    """
    dbt = sys.modules.get("dbt_common.invocation")
    return str(dbt.get_invocation_id()) if dbt is not None else _PROCESS


class UsageStore:
    """The file ``usage.sqlite`` (WAL, ``synchronous = FULL``, mode 0600). One thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it where there is none.

        Raises:
            UserError: it cannot be opened, or is not a file of this kind.
        """
        self.path = path
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            path.chmod(0o600)
        except OSError as error:
            raise UserError(f"The usage record {path} cannot be opened: {error.strerror}.") from None
        self._link = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._link.close()
            raise self._broken(error) from None
        except UserError:
            self._link.close()
            raise

    def add(self, run_id: str, calls: int, cost_nanousd: int, spent: Spent) -> None:
        """Add to what a run has used; on disk at return.

        Args:
            run_id: of ``current_run``.
            calls, cost_nanousd: as the budget counts them (a call whose answer got lost counts in full).
            spent: ``COUNTERS`` by (stage, model, mode).

        Raises:
            UserError: the disk is full, or the file is damaged.
        """
        marks = ", ".join("?" * (4 + len(COUNTERS)))
        sums = ", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTERS)
        statements: list[tuple[str, tuple[Any, ...]]] = [
            (
                "insert into runs (run_id, started_at, n_calls, cost_nanousd) values (?, ?, ?, ?) "
                "on conflict (run_id) do update set n_calls = n_calls + excluded.n_calls, "
                "cost_nanousd = cost_nanousd + excluded.cost_nanousd",
                (run_id, time.time(), calls, cost_nanousd),
            )
        ]
        statements += [
            (
                f"insert into spent values ({marks}) on conflict (run_id, stage, model, mode) "
                f"do update set {sums}",
                (run_id, *name, *counts),
            )
            for name, counts in spent.items()
        ]
        self._write(statements)

    def of_run(self, run_id: str) -> tuple[float, int]:
        """Dollars and calls that a run has used so far, (0, 0) for an unknown one."""
        rows = self._rows("select cost_nanousd, n_calls from runs where run_id = ?", (run_id,))
        return (rows[0][0] / NANO, rows[0][1]) if rows else (0.0, 0)

    def set_study(self, part: str, stages: Mapping[str, Mapping[str, Any]]) -> None:
        """Replace what the present answers of a part (``taxonomy``, ``labelling``) cost; see ``Tally.as_rows``."""
        names = [field.name for field in fields(StudyUsage)]
        marks = ", ".join("?" * (2 + len(names)))
        statements: list[tuple[str, tuple[Any, ...]]] = [("delete from study where part = ?", (part,))]
        statements += [
            (f"insert into study values ({marks})", (part, stage, *(used[name] for name in names)))
            for stage, used in sorted(stages.items())
        ]
        self._write(statements)

    def table(self) -> pa.Table:
        """Everything by stage, in ``SCHEMA``, ordered by stage; no row where nothing was ever asked for money."""
        sums = ", ".join(f"sum({name}) as {name}" for name in COUNTERS)
        spent = {
            row["stage"]: row
            for row in self._dicts(
                "select stage, group_concat(distinct model) as models, group_concat(distinct mode) as modes, "
                f"count(distinct run_id) as n_runs, {sums} from spent group by stage"
            )
        }
        last = {
            row["stage"]: row
            for row in self._dicts(
                f"select stage, {sums} from spent where run_id = (select run_id from runs where n_calls > 0 "
                "order by rowid desc limit 1) group by stage"
            )
        }
        study = {row["stage"]: row for row in self._dicts("select * from study")}
        rows = [
            _row(stage, study.get(stage, {}), spent.get(stage, {}), last.get(stage, {}))
            for stage in sorted({*spent, *study})
        ]
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def close(self) -> None:
        """Close the file; what was added is on disk already."""
        self._link.close()

    def __enter__(self) -> UsageStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self) -> None:
        tables = self._link.execute("select count(*) from sqlite_master").fetchone()[0]
        application = self._link.execute("pragma application_id").fetchone()[0]
        if tables and application != _APPLICATION_ID:
            raise UserError(f"The file {self.path} is not a usage record; move it away, a new one is made.")
        self._link.execute(f"pragma busy_timeout = {int(_BUSY_SECONDS * 1000)}")
        self._link.execute("pragma journal_mode = wal")
        self._link.execute("pragma synchronous = full")
        if tables:
            return
        counters = ", ".join(f"{name} integer not null" for name in COUNTERS)
        numbers = ", ".join(
            f"{field.name} integer not null" for field in fields(StudyUsage) if field.name != "model"
        )
        self._write(
            [
                (
                    "create table if not exists runs (run_id text primary key, started_at real not null, "
                    "n_calls integer not null, cost_nanousd integer not null)",
                    (),
                ),
                (
                    "create table if not exists spent (run_id text not null, stage text not null, "
                    f"model text not null, mode text not null, {counters}, "
                    "primary key (run_id, stage, model, mode)) without rowid",
                    (),
                ),
                (
                    "create table if not exists study (part text not null, stage text not null, "
                    f"model text not null, {numbers}, primary key (part, stage)) without rowid",
                    (),
                ),
                (f"pragma application_id = {_APPLICATION_ID}", ()),
            ]
        )

    def _write(self, statements: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        """Statements in one transaction."""
        try:
            self._link.execute("begin immediate")
            try:
                for sql, values in statements:
                    self._link.execute(sql, values)
                self._link.execute("commit")
            except BaseException:
                if self._link.in_transaction:
                    self._link.execute("rollback")
                raise
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._link.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def _dicts(self, sql: str) -> list[dict[str, Any]]:
        try:
            cursor = self._link.execute(sql)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def _broken(self, error: sqlite3.Error) -> UserError:
        return UserError(
            f"The usage record {self.path} cannot be used ({error}); free its disk, or move the file away to "
            "start a new one."
        )


def _row(
    stage: str, study: Mapping[str, Any], spent: Mapping[str, Any], last: Mapping[str, Any]
) -> dict[str, Any]:
    """One row of ``SCHEMA``. The cost of the answers is null where one of them has no price."""
    models = {*str(spent.get("models") or "").split(","), str(study.get("model") or "")} - {""}
    modes = set(str(spent.get("modes") or "").split(",")) - {""}
    return {
        "stage": stage,
        "models": ",".join(sorted(models)),
        "modes": ",".join(sorted(modes)),
        "n_answers": study.get("n_answers", 0),
        "answer_input_tokens": study.get("input_tokens", 0),
        "answer_cached_tokens": study.get("cached_tokens", 0),
        "answer_output_tokens": study.get("output_tokens", 0),
        "answer_cost_usd": None if study.get("n_unpriced") else study.get("cost_nanousd", 0) / NANO,
        "n_runs": spent.get("n_runs", 0),
        **{name: spent.get(name, 0) for name in COUNTERS[:-1]},
        "cost_usd": spent.get("cost_nanousd", 0) / NANO,
        "last_run_n_calls": last.get("n_calls", 0),
        "last_run_input_tokens": sum(
            last.get(name, 0) for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens")
        ),
        "last_run_output_tokens": last.get("output_tokens", 0),
        "last_run_cost_usd": last.get("cost_nanousd", 0) / NANO,
    }


def run_usage_table(path: Path) -> pa.Table:
    """The dbt model ``run_usage``: ``UsageStore.table`` of the file at ``path``."""
    with UsageStore(path) as store:
        return store.table()
