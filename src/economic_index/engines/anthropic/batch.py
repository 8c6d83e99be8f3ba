"""Batch mode: Message Batches at half the price, remembered so well that a killed run pays for nothing twice.

The order of things is the point. The intent to submit (a random name and the questions' keys) is on disk
before the request leaves; the name is part of every custom id. After a crash an intent without a batch id is
looked for among the server's batches before anything is sent again. A batch that was submitted is never
submitted again: its results are fetched from the server as often as needed, until the ledger holds the
answers.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anthropic
import orjson

from economic_index.engines.anthropic.client import (
    Sender,
    error_type,
    reply_of,
    request_body,
    reservation_of,
    stop_for_status,
)
from economic_index.engines.anthropic.exchange import Call, Exchange, Reply
from economic_index.engines.anthropic.gate import retry_after
from economic_index.engines.anthropic.render import Rendered
from economic_index.engines.base import Answer, Usage
from economic_index.errors import UserError
from economic_index.paths import warehouse

MAX_REQUESTS = 100_000
MAX_BYTES = 256 * 1024 * 1024
#: Results stay available for 29 days after a batch was created; an older one is asked anew.
KEPT_SECONDS = 28 * 86_400
#: Clocks differ: an unclaimed batch may seem to be older than its intent by this much.
_SKEW = timedelta(minutes=10)
_POLITE_FAILURES = {"invalid_request_error": "rejected", "request_too_large": "too_long"}

_SCHEMA = """
create table if not exists batches (
    name text primary key, batch_id text unique, created_at real not null, n_items integer not null
);
create table if not exists items (
    name text not null, position integer not null, key blob not null, turn integer not null,
    spent integer not null default 0, primary key (name, position)
) without rowid;
create index if not exists items_by_key on items (key, turn);
"""


@dataclass(frozen=True)
class Place:
    """Where the answer to a question is to be found: batch (None: an intent that was never confirmed) and
    item."""

    name: str
    batch_id: str | None
    position: int

    @property
    def custom_id(self) -> str:
        """The item's id in the batch."""
        return f"{self.name}-{self.position}"


class BatchStore:
    """What was submitted, in SQLite (``synchronous = FULL``, mode 0600). Holds keys and ids, no text."""

    def __init__(self, path: Path) -> None:
        """Open the store and claim it for this process.

        Raises:
            UserError: another process has claimed it, or the file cannot be used.
        """
        self.path = path
        try:
            self._claim = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except BlockingIOError:
            os.close(self._claim)
            raise UserError(
                f"Another run is using batch mode on {path}; wait until it ends, or give this run another "
                "warehouse."
            ) from None
        except OSError as error:
            raise UserError(f"The batch store {path} cannot be opened: {error.strerror}.") from None
        try:
            self._link = sqlite3.connect(path, timeout=60.0, isolation_level=None, check_same_thread=False)
            self._link.execute("pragma journal_mode = wal")
            self._link.execute("pragma synchronous = full")
            self._link.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise UserError(f"The batch store {path} cannot be used ({error}); move it away.") from None

    def intend(self, name: str, keys: Sequence[tuple[bytes, int]]) -> None:
        """Record that a batch called ``name`` with these (key, turn) items is about to be submitted."""
        self._link.execute("begin immediate")
        self._link.execute("insert into batches values (?, null, ?, ?)", (name, time.time(), len(keys)))
        self._link.executemany(
            "insert into items (name, position, key, turn) values (?, ?, ?, ?)",
            [(name, position, key, turn) for position, (key, turn) in enumerate(keys)],
        )
        self._link.execute("commit")

    def confirm(self, name: str, batch_id: str) -> None:
        """The server has taken the batch."""
        self._link.execute("update batches set batch_id = ? where name = ?", (batch_id, name))

    def forget(self, name: str) -> None:
        """The server never got the batch."""
        self._link.execute("begin immediate")
        self._link.execute("delete from items where name = ?", (name,))
        self._link.execute("delete from batches where name = ?", (name,))
        self._link.execute("commit")

    def spend(self, places: Iterable[Place]) -> None:
        """These items hold no answer (expired, errored, missing): they are to be asked anew."""
        self._link.execute("begin immediate")
        self._link.executemany(
            "update items set spent = 1 where name = ? and position = ?",
            [(p.name, p.position) for p in places],
        )
        self._link.execute("commit")

    def find(self, key: bytes, turn: int) -> Place | None:
        """The unspent item that asks this, if one was submitted in the last weeks."""
        row = self._link.execute(
            "select items.name, batch_id, position from items join batches using (name) "
            "where key = ? and turn = ? and spent = 0 and created_at > ? order by created_at limit 1",
            (key, turn, time.time() - KEPT_SECONDS),
        ).fetchone()
        return Place(*row) if row else None

    def intents(self) -> list[tuple[str, float, int]]:
        """(name, time, number of items) of the batches whose fate is unknown."""
        return self._link.execute(
            "select name, created_at, n_items from batches where batch_id is null order by created_at"
        ).fetchall()

    def known(self) -> dict[str, str]:
        """Batch ids and their names."""
        return dict(
            self._link.execute("select batch_id, name from batches where batch_id is not null").fetchall()
        )

    def close(self) -> None:
        """Give up the claim."""
        self._link.close()
        os.close(self._claim)


@dataclass
class _Open:
    """One question on its way."""

    position: int
    exchange: Exchange
    rendered: Rendered
    call: Call
    passes: int = 0
    #: Dollars set aside for the call; None when an earlier run submitted it.
    reserved: float | None = None


class BatchRunner:
    """Answers questions through batches, wave by wave: first calls, then repairs and resubmissions."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.settings = sender.settings
        self.store = BatchStore(self.settings.state or warehouse() / "batches.sqlite")
        self._recovered = False

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    async def answers(
        self, keys: Sequence[bytes], rendered: Callable[[int], Rendered]
    ) -> AsyncIterator[tuple[int, Answer]]:
        """Yield (position, answer) for every key."""
        if not self._recovered:
            await self.recover()
            self._recovered = True
        waiting = [self._open(position, rendered(position)) for position in range(len(keys))]
        while waiting:
            following: list[_Open] = []
            async for question, reply in self._wave(waiting, keys):
                step = self._step(question, reply)
                if isinstance(step, Answer):
                    self.sender.count(question.rendered, step)
                    yield question.position, step
                else:
                    following.append(step)
            waiting = following

    def _open(self, position: int, rendered: Rendered) -> _Open:
        exchange = Exchange(rendered)
        return _Open(position, exchange, rendered, exchange.first())

    def _step(self, question: _Open, reply: Reply | None) -> _Open | Answer:
        """The next call of a question, the same call again (``reply`` None: no answer came), or its
        answer."""
        if reply is None:
            question.passes += 1
            if question.passes < self.settings.batch_passes:
                return question
            reply = Reply(failure="batch_without_answer")
        step = question.exchange.next(question.call, reply)
        if isinstance(step, Answer):
            return self.sender.billed(question.rendered, question.exchange, step)
        question.call, question.passes = step, 0
        return question

    async def _wave(
        self, questions: list[_Open], keys: Sequence[bytes]
    ) -> AsyncIterator[tuple[_Open, Reply | None]]:
        """Submit what was not submitted before, then bring in results batch by batch."""
        places: dict[str, dict[str, tuple[_Open, Place]]] = {}
        unsent: list[_Open] = []
        for question in questions:
            place = self.store.find(keys[question.position], question.call.turn)
            if place is None or place.batch_id is None:
                unsent.append(question)
            else:
                places.setdefault(place.batch_id, {})[place.custom_id] = (question, place)
        async for part in self._submit(unsent, keys):
            if isinstance(part, _Open):
                yield part, Reply(failure="budget")
            else:
                places[part[0]] = part[1]
        async for batch_id in self._ended(list(places)):
            async for question, reply in self._results(batch_id, places[batch_id]):
                yield question, reply

    async def _submit(
        self, questions: list[_Open], keys: Sequence[bytes]
    ) -> AsyncIterator[_Open | tuple[str, dict[str, tuple[_Open, Place]]]]:
        """Submit in chunks within the limits; yields (batch id, items), and what the budget has no room
        for."""
        chunk: list[_Open] = []
        bodies: list[dict[str, Any]] = []
        size = 0
        limit = min(self.settings.batch_requests, MAX_REQUESTS)
        most = min(self.settings.batch_bytes, MAX_BYTES)
        for question in questions:
            body = self._body(question)
            cost = self._reservation(question)
            length = len(orjson.dumps(body)) + 128
            if chunk and (len(chunk) >= limit or size + length > most):
                yield await self._submit_chunk(chunk, bodies, keys)
                chunk, bodies, size = [], [], 0
            if not self.settings.budget.reserve(cost):
                self.settings.budget.stopped = True
                yield question
                continue
            question.reserved = cost
            chunk.append(question)
            bodies.append(body)
            size += length
        if chunk:
            yield await self._submit_chunk(chunk, bodies, keys)

    def _body(self, question: _Open) -> dict[str, Any]:
        model = self.settings.model(question.rendered.stage)
        price = self.settings.prices.get(model)
        return request_body(question.rendered, question.call, model, price, "1h")

    def _reservation(self, question: _Open) -> float:
        price = self.settings.prices.get(self.settings.model(question.rendered.stage))
        cost = reservation_of(question.rendered, question.call, price)
        return cost * price.batch_factor * 1.6 if price is not None else 0.0

    async def _submit_chunk(
        self, chunk: list[_Open], bodies: list[dict[str, Any]], keys: Sequence[bytes]
    ) -> tuple[str, dict[str, tuple[_Open, Place]]]:
        name = secrets.token_hex(8)
        self.store.intend(name, [(keys[question.position], question.call.turn) for question in chunk])
        requests = [
            {"custom_id": f"{name}-{position}", "params": body} for position, body in enumerate(bodies)
        ]
        batch_id = await self._create(name, requests)
        self.store.confirm(name, batch_id)
        places = {f"{name}-{i}": (question, Place(name, batch_id, i)) for i, question in enumerate(chunk)}
        return batch_id, places

    async def _create(self, name: str, requests: list[Any]) -> str:
        """Submit; after an answer that got lost, look for the batch before sending it again."""
        for attempt in range(self.settings.attempts):
            try:
                batch = await self.sender.client.messages.batches.create(requests=requests)
                return batch.id
            except anthropic.APIStatusError as error:
                self._stop_for(error, requests[0]["params"]["model"])
                if error.status_code < 500 and error.status_code not in (408, 409, 429):
                    self.store.forget(name)
                    raise UserError(
                        f"{self.sender.server} refused a batch ({error.status_code}); try mode: direct."
                    ) from None
                await self._pause(attempt, retry_after(error.response.headers))
                found = await self._look_for(name, time.time() - 60, len(requests))
            except (anthropic.APIConnectionError, TimeoutError):
                await self._pause(attempt, None)
                found = await self._look_for(name, time.time() - 60, len(requests))
            if found is not None:
                return found
        raise UserError(
            f"{self.sender.server} does not take batches at present; run again later, nothing that was "
            "submitted is lost."
        )

    def _stop_for(self, error: anthropic.APIStatusError, model: str) -> None:
        status, kind = error.status_code, error_type(error)
        if status == 404:
            raise UserError(
                f"{self.sender.server} has no Message Batches (404); set vars.mode to direct."
            ) from None
        stop_for_status(status, kind, self.sender.server, model, False)

    async def _pause(self, attempt: int, asked: float | None) -> None:
        backoff = min(self.settings.longest_backoff, self.settings.backoff * 2**attempt)
        await asyncio.sleep(max(backoff, asked or 0.0))

    async def recover(self) -> None:
        """Settle every intent of an earlier run: claim its batch, or forget it if the server never got it."""
        for name, created_at, n_items in self.store.intents():
            batch_id = await self._patiently(partial(self._look_for, name, created_at, n_items))
            if batch_id is None:
                self.store.forget(name)
            else:
                self.store.confirm(name, batch_id)

    async def _look_for(self, name: str, created_at: float, n_items: int) -> str | None:
        """The id of the unclaimed batch whose items carry ``name``: right size, right time, then by custom
        id."""
        earliest = datetime.fromtimestamp(created_at, UTC) - _SKEW
        claimed = self.store.known()
        async for batch in self.sender.client.messages.batches.list(limit=100):
            if batch.created_at < earliest:
                return None
            counts = batch.request_counts
            total = counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
            if batch.id in claimed or total != n_items:
                continue
            if await self._carries(batch.id, name):
                return batch.id
        return None

    async def _carries(self, batch_id: str, name: str) -> bool:
        """Whether a batch is the one called ``name``; its ids can be seen only once it has ended."""
        async for _ in self._ended([batch_id]):
            pass
        with suppress(anthropic.APIStatusError):
            async for result in await self.sender.client.messages.batches.results(batch_id):
                return result.custom_id.startswith(f"{name}-")
        return False

    async def _ended(self, batch_ids: list[str]) -> AsyncIterator[str]:
        """Yield batch ids as they end, asking ever more rarely while nothing happens."""
        waiting, pause = list(batch_ids), self.settings.poll
        while waiting:
            still: list[str] = []
            for batch_id in waiting:
                batch = await self._patiently(partial(self.sender.client.messages.batches.retrieve, batch_id))
                if batch.processing_status == "ended":
                    yield batch_id
                else:
                    still.append(batch_id)
            if still:
                pause = (
                    self.settings.poll
                    if len(still) < len(waiting)
                    else min(pause * 1.5, self.settings.longest_poll)
                )
                await asyncio.sleep(pause)
            waiting = still

    async def _patiently(self, ask: Callable[[], Any]) -> Any:
        """A request that costs nothing, repeated through faults of network and server.

        Raises:
            UserError: the key is refused, or the server stays away.
        """
        for attempt in range(self.settings.attempts):
            try:
                return await ask()
            except anthropic.APIStatusError as error:
                stop_for_status(error.status_code, error_type(error), self.sender.server, "batches", False)
                await self._pause(attempt, retry_after(error.response.headers))
            except (anthropic.APIConnectionError, TimeoutError):
                await self._pause(attempt, None)
        raise UserError(
            f"{self.sender.server} cannot be reached; what was submitted goes on there: run again."
        )

    async def _results(
        self, batch_id: str, wanted: Mapping[str, tuple[_Open, Place]]
    ) -> AsyncIterator[tuple[_Open, Reply | None]]:
        """The wanted results of an ended batch, in whatever order they come; a repeated one counts once."""
        left = dict(wanted)
        for attempt in range(self.settings.attempts):
            try:
                async for result in await self.sender.client.messages.batches.results(batch_id):
                    entry = left.pop(result.custom_id, None)
                    if entry is not None:
                        question, place = entry
                        reply = self._read(question, result.result)
                        if reply is None or reply.failure is not None:
                            self.store.spend([place])
                        yield question, reply
                break
            except (anthropic.APIConnectionError, anthropic.APIStatusError, TimeoutError, ValueError):
                await self._pause(attempt, None)
        else:
            raise UserError(
                f"The results of a batch cannot be fetched from {self.sender.server}; nothing is lost: "
                "run again later."
            )
        self.store.spend(place for _, place in left.values())
        for question, _ in left.values():
            self._settle(question, 0.0)
            yield question, None

    def _settle(self, question: _Open, cost: float) -> None:
        """Replace the reservation of a call by its cost; one that an earlier run reserved only costs."""
        if question.reserved is None:
            self.settings.budget.spent += cost
        else:
            self.settings.budget.settle(question.reserved, cost)
        question.reserved = None

    def _read(self, question: _Open, result: Any) -> Reply | None:
        """An item's outcome: a reply, a failure for good, or None for one to be asked again."""
        stage = self.sender.stage(question.rendered.stage)
        price = self.settings.prices.get(stage.model)
        if result.type == "succeeded":
            reply = reply_of(result.message.model_dump())
            if reply is not None:
                cost = price.cost(reply.usage, batch=True) if price is not None else 0.0
                stage.add(reply.usage, cost)
                self._settle(question, cost)
                return reply
        self._settle(question, 0.0)
        if result.type == "errored":
            inner = getattr(result.error, "error", None)
            reason = _POLITE_FAILURES.get(str(getattr(inner, "type", "")))
            if reason is not None:
                return Reply(usage=Usage(1), failure=reason)
        if result.type == "canceled":
            return Reply(failure="cancelled")
        return None

    async def cancel(self) -> int:
        """Ask the server to cancel every batch of ours that is still being worked on; returns how many."""
        cancelled = 0
        for batch_id in self.store.known():
            with suppress(anthropic.APIStatusError):
                batch = await self.sender.client.messages.batches.retrieve(batch_id)
                if batch.processing_status == "in_progress":
                    await self.sender.client.messages.batches.cancel(batch_id)
                    cancelled += 1
        return cancelled
