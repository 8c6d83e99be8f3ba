"""The answer ledger: every answer of an engine, kept as it arrives, so that nothing is ever asked twice.

One SQLite file (``warehouse/answers.sqlite``) outside dbt's transaction: a killed build or
``--full-refresh`` keeps what was paid for (DESIGN section 6). It is addressed by content: the key is a hash
of engine, model, rendered prompt and parameters. It never holds a prompt, a conversation, a conversation id
or an account.
What it holds of a conversation is the answer alone: option ids, confidences, token counts and, if a strategy
asks for one, the summary.

Guarantees:

* an answer is on disk when ``put`` or ``put_many`` returns (WAL, ``synchronous = FULL``): ``kill -9`` loses
  only what was in flight;
* the first answer stored under a key stays: a second one is ignored, by whichever thread or process it comes;
* opening reads a few pages, whatever the number of rows; no call holds more than what it was given in memory;
* the file and SQLite's companions beside it (``-wal``, ``-shm``) have mode 0600.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from economic_index.engines.base import Answer, AnswerStatus, Bill, Chosen, Usage
from economic_index.errors import UserError

#: Written into the file's header, so that another SQLite file is told apart from a ledger ("EIAL").
_APPLICATION_ID = 0x4549414C
_VERSION = 1
_CHUNK = 500
_BUSY_SECONDS = 120.0

_SCHEMA = """
create table if not exists origins (origin_id integer primary key, origin text not null unique);
create table if not exists answers (
    key blob primary key,
    stage text not null,
    answer text not null,
    origin_id integer not null,
    stored_at integer not null
);
"""


class Ledger:
    """A ledger file. Safe for any number of threads (one connection, one lock) and processes (SQLite's own
    locks)."""

    def __init__(self, path: Path) -> None:
        """Open the ledger at ``path``, creating it (and nothing above its folder) with mode 0600.

        Raises:
            UserError: the file cannot be opened, is not a ledger, or was written by a newer version.
        """
        self.path = path
        self._lock = threading.Lock()
        self._origins: dict[str, int] = {}
        try:
            # Created before SQLite sees it, so that no moment exists in which others could read it.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            path.chmod(0o600)
        except OSError as error:
            raise UserError(f"The answer ledger {path} cannot be opened: {error.strerror}.") from None
        self._link = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None
        )
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._link.close()
            raise self._broken(error) from None
        except UserError:
            self._link.close()
            raise

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, Answer]:
        """The stored answers of those ``keys`` that have one; unknown keys are absent. Order and repeats do
        not matter.

        Raises:
            UserError: the file is damaged.
        """
        found: dict[bytes, Answer] = {}
        distinct = list(dict.fromkeys(keys))
        with self._lock:
            for start in range(0, len(distinct), _CHUNK):
                found.update(self._get_chunk(distinct[start : start + _CHUNK]))
        return found

    def put(self, key: bytes, stage: str, answer: Answer, meta: Mapping[str, str] | None = None) -> Answer:
        """Store one answer and return the one that counts (see ``put_many``)."""
        return self.put_many([(key, stage, answer)], meta).get(key, answer)

    def put_many(
        self, rows: Iterable[tuple[bytes, str, Answer]], meta: Mapping[str, str] | None = None
    ) -> dict[bytes, Answer]:
        """Store (key, stage, answer) rows in one transaction that is on disk at return.

        Args:
            rows: a key that is already stored, or comes twice, is ignored: the first answer stays.
            meta: what a manifest says of the engine (``Engine.identity()``); stored once, not per row.

        Returns:
            The stored answers of the keys that were already there (another process was faster), to be used in
            place of the new ones so that this run and the next agree.

        Raises:
            UserError: the disk is full, or the file is damaged or locked for two minutes.
        """
        encoded = {key: (stage, encode_answer(answer)) for key, stage, answer in reversed(list(rows))}
        if not encoded:
            return {}
        now = int(time.time())
        with self._lock:
            try:
                self._link.execute("begin immediate")
                try:
                    origin = self._origin(meta or {})
                    lost = []
                    for key, (stage, text) in encoded.items():
                        cursor = self._link.execute(
                            "insert or ignore into answers values (?, ?, ?, ?, ?)",
                            (key, stage, text, origin, now),
                        )
                        if cursor.rowcount == 0:
                            lost.append(key)
                    self._link.execute("commit")
                except BaseException:
                    self._origins.clear()
                    if self._link.in_transaction:
                        self._link.execute("rollback")
                    raise
            except sqlite3.Error as error:
                raise self._broken(error) from None
            before: dict[bytes, Answer] = {}
            for start in range(0, len(lost), _CHUNK):
                before.update(self._get_chunk(lost[start : start + _CHUNK]))
        return before

    def count(self) -> int:
        """Number of stored answers (walks the key index: for reports, not for hot paths)."""
        with self._lock:
            return int(self._rows("select count(*) from answers")[0][0])

    def origins(self) -> list[dict[str, str]]:
        """What the engines that wrote this ledger said of themselves, oldest first."""
        with self._lock:
            rows = self._rows("select origin from origins order by origin_id")
        return [json.loads(row[0]) for row in rows]

    def close(self) -> None:
        """Close the connection; what was put is on disk already."""
        with self._lock:
            self._link.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self) -> None:
        tables = self._link.execute("select count(*) from sqlite_master").fetchone()[0]
        application = self._link.execute("pragma application_id").fetchone()[0]
        version = self._link.execute("pragma user_version").fetchone()[0]
        if tables and application != _APPLICATION_ID:
            raise UserError(f"The file {self.path} is not an answer ledger; move it away, a new one is made.")
        if version > _VERSION:
            raise UserError(
                f"The answer ledger {self.path} was written by a newer version of this project; "
                "upgrade to read it."
            )
        self._link.execute(f"pragma busy_timeout = {int(_BUSY_SECONDS * 1000)}")
        self._link.execute("pragma journal_mode = wal")
        self._link.execute("pragma synchronous = full")
        if tables and version == _VERSION:
            return
        self._link.execute("begin immediate")
        for statement in filter(str.strip, _SCHEMA.split(";")):
            self._link.execute(statement)
        self._link.execute(f"pragma application_id = {_APPLICATION_ID}")
        self._link.execute(f"pragma user_version = {_VERSION}")
        self._link.execute("commit")

    def _origin(self, meta: Mapping[str, str]) -> int:
        """Row number of ``meta`` in ``origins``; runs inside the caller's transaction."""
        text = json.dumps(dict(meta), sort_keys=True, ensure_ascii=False)
        known = self._origins.get(text)
        if known is None:
            self._link.execute("insert or ignore into origins (origin) values (?)", (text,))
            row = self._link.execute("select origin_id from origins where origin = ?", (text,)).fetchone()
            known = self._origins[text] = int(row[0])
        return known

    def _get_chunk(self, keys: Sequence[bytes]) -> dict[bytes, Answer]:
        marks = ",".join("?" * len(keys))
        rows = self._rows(f"select key, answer from answers where key in ({marks})", keys)
        try:
            return {bytes(key): decode_answer(text) for key, text in rows}
        except (KeyError, TypeError, ValueError):
            raise UserError(
                f"The answer ledger {self.path} holds an answer that cannot be read; "
                "restore the file from a backup."
            ) from None

    def _rows(self, sql: str, values: Sequence[bytes] = ()) -> list[Any]:
        try:
            return self._link.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def _broken(self, error: sqlite3.Error) -> UserError:
        return UserError(
            f"The answer ledger {self.path} cannot be used ({error}); "
            "free its disk or restore the file from a backup, "
            "for it holds answers that were paid for."
        )


def encode_answer(answer: Answer) -> str:
    """An answer as compact JSON; ``decode_answer`` gives it back unchanged."""
    record: dict[str, Any] = {
        "s": answer.status,
        "v": {
            name: [list(chosen.options), list(chosen.confidences), chosen.number]
            for name, chosen in answer.values.items()
        },
    }
    if answer.reason is not None:
        record["r"] = answer.reason
    if answer.summary is not None:
        record["t"] = answer.summary
    usage = answer.usage
    counts = [
        usage.calls,
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.output_tokens,
    ]
    if any(counts):
        record["u"] = counts
    if answer.bill is not None:
        bill = answer.bill
        record["b"] = [bill.input_tokens, bill.cached_tokens, bill.output_tokens, bill.cost_nanousd]
    # ASCII: a summary may hold a lone surrogate, which SQLite refuses as text.
    return json.dumps(record, separators=(",", ":"))


def decode_answer(text: str) -> Answer:
    """The answer that ``encode_answer`` wrote; raises KeyError, TypeError or ValueError on anything else."""
    record = json.loads(text)
    values = {
        name: Chosen(tuple(options), tuple(confidences), number)
        for name, (options, confidences, number) in record["v"].items()
    }
    return Answer(
        cast(AnswerStatus, record["s"]),
        values,
        record.get("r"),
        record.get("t"),
        Usage(*record.get("u", ())),
        Bill(*record["b"]) if "b" in record else None,
    )
