"""The HTTP side of the fake server: messages, token counts, models and batches, with faults on request."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import orjson
from aiohttp import web

from economic_index.testing.fake_messages import rules
from economic_index.testing.fake_messages.mischief import Mischief, identity
from economic_index.testing.fake_messages.oracle import Oracle
from economic_index.testing.fake_messages.rules import Refusal
from economic_index.testing.fake_messages.tokens import PromptCache, blocks_of, count_text


@dataclass
class Settings:
    """How the server behaves. Times in seconds."""

    latency: float = 0.0
    #: The one key that is accepted; None accepts any.
    key: str | None = None
    #: Models that exist; None: every name does.
    models: tuple[str, ...] | None = None
    #: Requests a minute before 429; None: no limit.
    requests_per_minute: int | None = None
    retry_after: float = 0.05
    batch_seconds: float = 0.1
    batch_max_requests: int = 100_000
    batch_max_bytes: int = 256 * 1024 * 1024
    #: Batches by number of creation whose answer to "create" is lost: the batch exists, the client does not
    #: know.
    lose_batch_answers: frozenset[int] = frozenset()
    #: Batches by number of creation that expire: their unfinished half comes back as expired.
    expire_batches: frozenset[int] = frozenset()
    #: A server of others: no models and no batches endpoint.
    bare: bool = False


@dataclass
class Stats:
    """What the server saw. ``paid`` counts answers by question, so a question that was paid for twice
    shows."""

    attempts: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    calls: int = 0
    batch_items: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    batches_created: int = 0
    preflights: int = 0
    paid: Counter[bytes] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """The counters; ``paid`` as number of questions and of answers paid beyond the first."""
        plain = {k: v for k, v in vars(self).items() if isinstance(v, int)}
        return {
            **plain,
            "statuses": {str(k): v for k, v in self.statuses.items()},
            "questions": len(self.paid),
            "paid_again": sum(self.paid.values()) - len(self.paid),
        }


@dataclass
class _Batch:
    id: str
    number: int
    created: datetime
    requests: list[dict[str, Any]]
    results: list[dict[str, Any]] | None = None
    cancelled: bool = False
    ready_at: float = 0.0


class FakeServer:
    """A server on 127.0.0.1 in a thread of its own. Use as a context manager; ``url`` is what
    ANTHROPIC_BASE_URL takes."""

    def __init__(
        self,
        oracle: Oracle | None = None,
        settings: Settings | None = None,
        mischief: Mischief | None = None,
        port: int = 0,
    ) -> None:
        self.oracle = oracle or Oracle()
        self.settings = settings or Settings()
        self.mischief = mischief or Mischief()
        self.port = port
        self.stats = Stats()
        self.cache = PromptCache()
        self.bodies: list[dict[str, Any]] = []
        #: Set to keep every accepted request in ``bodies``.
        self.keep_bodies = False
        self._batches: dict[str, _Batch] = {}
        self._numbers = count(1)
        self._window: list[float] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> FakeServer:
        started = threading.Event()
        self._thread = threading.Thread(
            target=self._serve, args=(started,), name="fake-messages", daemon=True
        )
        self._thread.start()
        if not started.wait(30):
            raise RuntimeError("the fake server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join(10)

    def _serve(self, started: threading.Event) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        runner = self._loop.run_until_complete(self.start())
        started.set()
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(runner.cleanup())
            self._loop.close()

    async def start(self) -> web.AppRunner:
        """Listen on the running loop; returns the runner, to be cleaned up by the caller."""
        runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        addresses = runner.addresses
        self.port = int(addresses[0][1])
        return runner

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=512 * 1024 * 1024)
        routes: list[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]] = [
            ("POST", "/v1/messages", self._messages),
            ("POST", "/v1/messages/count_tokens", self._count_tokens),
            ("GET", "/_fake/stats", self._stats),
        ]
        if not self.settings.bare:
            routes += [
                ("GET", "/v1/models/{id}", self._model),
                ("POST", "/v1/messages/batches", self._batch_create),
                ("GET", "/v1/messages/batches", self._batch_list),
                ("GET", "/v1/messages/batches/{id}", self._batch_get),
                ("POST", "/v1/messages/batches/{id}/cancel", self._batch_cancel),
                ("GET", "/v1/messages/batches/{id}/results", self._batch_results),
            ]
        for method, path, handler in routes:
            app.router.add_route(method, path, self._guarded(handler))
        return app

    def _guarded(
        self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def run(request: web.Request) -> web.StreamResponse:
            try:
                if not request.path.startswith("/_fake"):
                    rules.check_headers(request.headers, self.settings.key)
                return await handler(request)
            except Refusal as refusal:
                self.stats.statuses[refusal.status] += 1
                return self._error(refusal.status, refusal.kind, refusal.message)

        return run

    # --- messages ---

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        self.stats.attempts += 1
        self.stats.in_flight += 1
        self.stats.most_in_flight = max(self.stats.most_in_flight, self.stats.in_flight)
        try:
            return await self._message(request)
        finally:
            self.stats.in_flight -= 1

    async def _message(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        if len(raw) > rules.MAX_BODY:
            raise Refusal(413, "request_too_large", "request exceeds the maximum size")
        body = _parse(raw)
        rules.check_body(body, self.settings.models)
        limited = self._limit()
        if limited is not None:
            return limited
        kind = self.mischief.strike(body)
        fault = self._http_fault(kind, request)
        if fault is not None:
            self.stats.statuses[fault.status] += 1
            return fault
        if kind == "bad_request":
            raise Refusal(400, "invalid_request_error", "messages: this conversation is not accepted")
        bill, entries = self.cache.bill(body)
        if self.settings.latency:
            await asyncio.sleep(self.settings.latency)
        self.cache.store(entries)
        if kind == "dropped":
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        message = self._answer(body, bill, kind, "standard")
        self.stats.calls += 1
        self.stats.statuses[200] += 1
        payload = orjson.dumps(message)
        if kind == "garbled":
            payload = payload[: len(payload) // 2]
        if kind == "drip":
            return await _drip(request, payload)
        return web.Response(body=payload, headers=self._headers(), content_type="application/json")

    def _http_fault(self, kind: str | None, request: web.Request) -> web.Response | None:
        if kind == "rate_limited":
            return self._error(
                429, "rate_limit_error", "slow down", {"retry-after": str(self.settings.retry_after)}
            )
        if kind == "rate_limited_bare":
            return self._error(429, "rate_limit_error", "slow down")
        if kind == "internal_error":
            return self._error(500, "api_error", "internal server error")
        if kind == "overloaded":
            return self._error(529, "overloaded_error", "overloaded")
        return None

    def _answer(self, body: dict[str, Any], bill: Any, kind: str | None, tier: str) -> dict[str, Any]:
        """A message object, charged to the statistics."""
        text = self.oracle.answer(body, wrong=kind in ("off_list", "off_list_always"))
        stop = "end_turn"
        if kind == "refusal":
            text, stop = "", "refusal"
        elif kind == "context_window":
            text, stop = text[:10], "model_context_window_exceeded"
        elif kind in ("max_tokens", "max_tokens_always"):
            text, stop = text[: len(text) // 2], "max_tokens"
        elif kind == "truncated":
            text = text[: len(text) // 2]
        output = count_text(text)
        if output > body["max_tokens"]:
            text, stop, output = text[: 4 * body["max_tokens"]], "max_tokens", body["max_tokens"]
        self.stats.input_tokens += bill.uncached
        self.stats.cache_read_tokens += bill.read
        self.stats.cache_write_tokens += bill.written_5m + bill.written_1h
        self.stats.output_tokens += output
        self.stats.paid[identity(body)] += 1
        if self.keep_bodies:
            self.bodies.append(body)
        return {
            "id": f"msg_{next(self._numbers):024d}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [{"type": "text", "text": text}] if text else [],
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {
                "input_tokens": bill.uncached,
                "cache_read_input_tokens": bill.read,
                "cache_creation_input_tokens": bill.written_5m + bill.written_1h,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": bill.written_5m,
                    "ephemeral_1h_input_tokens": bill.written_1h,
                },
                "output_tokens": output,
                "service_tier": tier,
            },
        }

    def _limit(self) -> web.Response | None:
        limit = self.settings.requests_per_minute
        if limit is None:
            return None
        now = time.monotonic()
        self._window = [moment for moment in self._window if moment > now - 60.0]
        if len(self._window) < limit:
            self._window.append(now)
            return None
        self.stats.statuses[429] += 1
        wait = self._window[0] + 60.0 - now
        return self._error(429, "rate_limit_error", "slow down", {"retry-after": str(int(wait) + 1)})

    def _headers(self) -> dict[str, str]:
        headers = {"request-id": f"req_{next(self._numbers):024d}"}
        limit = self.settings.requests_per_minute
        if limit is not None:
            reset = datetime.now(UTC) + timedelta(seconds=60)
            headers["anthropic-ratelimit-requests-limit"] = str(limit)
            headers["anthropic-ratelimit-requests-remaining"] = str(max(0, limit - len(self._window)))
            headers["anthropic-ratelimit-requests-reset"] = reset.strftime("%Y-%m-%dT%H:%M:%SZ")
        return headers

    def _error(
        self, status: int, kind: str, message: str, headers: dict[str, str] | None = None
    ) -> web.Response:
        name = f"req_{next(self._numbers):024d}"
        body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": name}
        return web.Response(
            body=orjson.dumps(body),
            status=status,
            headers={"request-id": name, **(headers or {})},
            content_type="application/json",
        )

    async def _count_tokens(self, request: web.Request) -> web.StreamResponse:
        body = _parse(await request.read())
        body = {**body, "max_tokens": 1}
        rules.check_body(body, self.settings.models)
        return web.json_response({"input_tokens": sum(count_text(block.text) for block in blocks_of(body))})

    async def _model(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["id"]
        self.stats.preflights += 1
        if self.settings.models is not None and name not in self.settings.models:
            raise Refusal(404, "not_found_error", f"model: {name}")
        return web.json_response(
            {
                "id": name,
                "type": "model",
                "display_name": name,
                "created_at": "2026-01-01T00:00:00Z",
                "lifecycle": "active",
            }
        )

    async def _stats(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(
            {**self.stats.as_json(), "mischief": dict(self.mischief.struck), "pid": os.getpid()}
        )

    # --- batches ---

    async def _batch_create(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = _parse(raw)
        rules.check_batch(
            body,
            self.settings.models,
            len(raw),
            self.settings.batch_max_requests,
            self.settings.batch_max_bytes,
        )
        self.stats.batches_created += 1
        number = self.stats.batches_created
        batch = _Batch(f"msgbatch_{number:024d}", number, datetime.now(UTC), body["requests"])
        batch.ready_at = time.monotonic() + self.settings.batch_seconds
        self._batches[batch.id] = batch
        if number in self.settings.lose_batch_answers:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return web.json_response(self._describe(batch))

    def _describe(self, batch: _Batch) -> dict[str, Any]:
        ended = self._finish(batch)
        counts = Counter(self._outcome(result) for result in batch.results or [])
        total = len(batch.requests)
        tally = {
            name: counts[name] if ended else 0 for name in ("succeeded", "errored", "canceled", "expired")
        }
        status = "ended" if ended else "canceling" if batch.cancelled else "in_progress"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": {"processing": 0 if ended else total, **tally},
            "created_at": batch.created.isoformat(),
            "expires_at": (batch.created + timedelta(hours=24)).isoformat(),
            "ended_at": datetime.now(UTC).isoformat() if ended else None,
            "cancel_initiated_at": batch.created.isoformat() if batch.cancelled else None,
            "archived_at": None,
            "results_url": f"{self.url}/v1/messages/batches/{batch.id}/results" if ended else None,
        }

    @staticmethod
    def _outcome(result: dict[str, Any]) -> str:
        return str(result["result"]["type"])

    def _finish(self, batch: _Batch) -> bool:
        """Process the batch once its time has come; results in reverse order, as nobody promises another."""
        if batch.results is not None:
            return True
        if time.monotonic() < batch.ready_at and not batch.cancelled:
            return False
        results: list[dict[str, Any]] = []
        expired_from = (
            len(batch.requests) // 2 if batch.number in self.settings.expire_batches else len(batch.requests)
        )
        for index, entry in enumerate(batch.requests):
            if batch.cancelled:
                results.append({"custom_id": entry["custom_id"], "result": {"type": "canceled"}})
            elif index >= expired_from:
                results.append({"custom_id": entry["custom_id"], "result": {"type": "expired"}})
            else:
                results.extend(self._batch_item(entry))
        batch.results = results[::-1]
        batch.requests = [{"custom_id": entry["custom_id"]} for entry in batch.requests]
        return True

    def _batch_item(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        body, name = entry["params"], entry["custom_id"]
        try:
            rules.check_body(body, self.settings.models)
        except Refusal as refusal:
            return [{"custom_id": name, "result": _errored(refusal.kind, refusal.message)}]
        kind = self.mischief.strike(body)
        if kind == "missing":
            return []
        if kind == "expired":
            return [{"custom_id": name, "result": {"type": "expired"}}]
        if kind in ("errored", "internal_error", "overloaded"):
            return [{"custom_id": name, "result": _errored("api_error", "internal server error")}]
        if kind == "bad_request":
            return [{"custom_id": name, "result": _errored("invalid_request_error", "not accepted")}]
        bill, entries = self.cache.bill(body)
        self.cache.store(entries)
        message = self._answer(body, bill, kind, "batch")
        self.stats.batch_items += 1
        result = {"custom_id": name, "result": {"type": "succeeded", "message": message}}
        return [result, result] if kind == "duplicate" else [result]

    def _find(self, request: web.Request) -> _Batch:
        batch = self._batches.get(request.match_info["id"])
        if batch is None:
            raise Refusal(404, "not_found_error", "batch not found")
        return batch

    async def _batch_get(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._describe(self._find(request)))

    async def _batch_list(self, request: web.Request) -> web.StreamResponse:
        limit = int(request.query.get("limit", "20"))
        newest = sorted(self._batches.values(), key=lambda batch: -batch.number)
        after = request.query.get("after_id")
        if after is not None:
            position = next((i for i, batch in enumerate(newest) if batch.id == after), len(newest))
            newest = newest[position + 1 :]
        page = newest[:limit]
        return web.json_response(
            {
                "data": [self._describe(batch) for batch in page],
                "has_more": len(newest) > limit,
                "first_id": page[0].id if page else None,
                "last_id": page[-1].id if page else None,
            }
        )

    async def _batch_cancel(self, request: web.Request) -> web.StreamResponse:
        batch = self._find(request)
        batch.cancelled = True
        return web.json_response(self._describe(batch))

    async def _batch_results(self, request: web.Request) -> web.StreamResponse:
        batch = self._find(request)
        if not self._finish(batch):
            raise Refusal(404, "not_found_error", "results are not ready")
        lines = b"".join(orjson.dumps(result) + b"\n" for result in batch.results or [])
        return web.Response(body=lines, content_type="application/x-jsonl", headers=self._headers())


def _errored(kind: str, message: str) -> dict[str, Any]:
    return {"type": "errored", "error": {"type": "error", "error": {"type": kind, "message": message}}}


def _parse(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except json.JSONDecodeError:
        raise Refusal(400, "invalid_request_error", "the body is not JSON") from None


async def _drip(request: web.Request, payload: bytes) -> web.StreamResponse:
    """Send the answer in eight pieces, 20 ms apart."""
    response = web.StreamResponse(headers={"content-type": "application/json"})
    response.content_length = len(payload)
    await response.prepare(request)
    async for piece in _pieces(payload):
        await response.write(piece)
    await response.write_eof()
    return response


async def _pieces(payload: bytes) -> AsyncIterator[bytes]:
    step = max(1, len(payload) // 8)
    for start in range(0, len(payload), step):
        yield payload[start : start + step]
        await asyncio.sleep(0.02)
