"""Direct mode: one call after another through the official SDK, with our own patience.

The SDK's retries are off: they know nothing of a budget, obey a Retry-After of any length, and hide what was
spent. No text of a request or an answer leaves this module but in an ``Answer``: reasons are codes, errors
name the server.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, replace
from typing import Any

import anthropic
import httpx2
import orjson

from economic_index.engines.anthropic.exchange import Call, Exchange, Reply
from economic_index.engines.anthropic.gate import Gate, retry_after
from economic_index.engines.anthropic.money import Price, StageUsage, add_usage, bill_of
from economic_index.engines.anthropic.render import Rendered, estimate_tokens
from economic_index.engines.anthropic.settings import Settings
from economic_index.engines.base import Answer, Usage
from economic_index.errors import UserError

_RETRY = {408: "timeout", 409: "conflict", 425: "conflict", 429: "rate_limited", 529: "overloaded"}
_TOO_LONG = 413
#: A prefix that nobody used for so long has left the server's cache (5 minutes).
_PREFIX_SECONDS = 270.0
#: Reservations assume this many times the estimated input, so that the limits hold.
_CAREFUL = 1.6


class BudgetSpent(Exception):
    """The next call does not fit into the budget."""


@dataclass
class _Prefix:
    ready: asyncio.Event
    used: float


def quiet_sdk() -> None:
    """Keep the SDK from logging request bodies: at level DEBUG it would write conversations into the log."""
    for name in ("anthropic", "anthropic._base_client"):
        logger = logging.getLogger(name)
        if logger.getEffectiveLevel() < logging.INFO:
            logger.setLevel(logging.INFO)


def make_client(settings: Settings) -> anthropic.AsyncAnthropic:
    """The run's one client, on the aiohttp transport (half the CPU of the default one); key from the
    environment."""
    quiet_sdk()
    limits = anthropic.DEFAULT_CONNECTION_LIMITS.__class__(
        max_connections=settings.concurrency + 8, max_keepalive_connections=settings.concurrency + 8
    )
    timeout = anthropic.Timeout(settings.timeout, connect=15.0)
    # api_key= and auth_token= stay unset: the SDK takes them from the environment, and nothing else is to
    # hold them.
    client = anthropic.AsyncAnthropic(
        max_retries=0,
        timeout=timeout,
        http_client=anthropic.DefaultAioHttpClient(timeout=timeout, limits=limits),
    )
    quiet_sdk()
    return client


def request_body(rendered: Rendered, call: Call, model: str, price: Price | None, ttl: str) -> dict[str, Any]:
    """The parameters of ``messages.create``; the static part is marked for the cache if it is long enough."""
    static: dict[str, Any] = {"type": "text", "text": rendered.static}
    if is_cacheable(rendered, price):
        static["cache_control"] = {"type": "ephemeral"} if ttl == "5m" else {"type": "ephemeral", "ttl": ttl}
    output: dict[str, Any] = {"format": {"type": "json_schema", "schema": rendered.schema}}
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": call.max_tokens,
        "system": [static],
        "messages": list(call.messages),
        "output_config": output,
    }
    if price is not None and price.thinking:
        body["thinking"] = {"type": price.thinking}
    if price is not None and price.effort:
        output["effort"] = price.effort
    return body


def is_cacheable(rendered: Rendered, price: Price | None) -> bool:
    """Whether the static part may reach the model's shortest cacheable prefix; a mark on a shorter one costs
    nothing."""
    minimum = price.min_prefix_tokens if price is not None else 1024
    return estimate_tokens(rendered.static) >= 0.8 * minimum


def usage_of(raw: dict[str, Any]) -> Usage:
    """Usage of one answered call as the server reports it."""
    return Usage(
        1,
        int(raw.get("input_tokens") or 0),
        int(raw.get("cache_read_input_tokens") or 0),
        int(raw.get("cache_creation_input_tokens") or 0),
        int(raw.get("output_tokens") or 0),
    )


def reply_of(message: Any) -> Reply | None:
    """The text, stop reason and usage of a message object; None when it is not one."""
    if not isinstance(message, dict) or not isinstance(message.get("content"), list):
        return None
    parts = [b.get("text") for b in message["content"] if isinstance(b, dict) and b.get("type") == "text"]
    text = "".join(part for part in parts if isinstance(part, str))
    usage = message.get("usage")
    stop = message.get("stop_reason")
    return Reply(
        text,
        stop if isinstance(stop, str) else None,
        usage_of(usage) if isinstance(usage, dict) else Usage(1),
    )


class Sender:
    """Sends calls on one event loop. ``stages`` counts what was used, by stage."""

    def __init__(self, settings: Settings, server: str, client: anthropic.AsyncAnthropic) -> None:
        self.settings = settings
        self.server = server
        self.client = client
        self.gate = Gate(settings.concurrency)
        self.stages: dict[str, StageUsage] = {}
        self._prefixes: dict[bytes, _Prefix] = {}
        self._answered = 0
        self._failed_in_a_row = 0
        self._random = random.Random()

    def stage(self, name: str) -> StageUsage:
        """The counters of a stage."""
        if name not in self.stages:
            self.stages[name] = StageUsage(self.settings.model(name), self.settings.mode)
        return self.stages[name]

    async def answer(self, rendered: Rendered) -> Answer:
        """Answer one question, all its turns included.

        Raises:
            UserError: something that no other question would survive either (key, model, address, network).
        """
        exchange = Exchange(rendered)
        step: Call | Answer = exchange.first()
        try:
            while isinstance(step, Call):
                step = exchange.next(step, await self._send(rendered, step))
        except BudgetSpent:
            step = Answer("failed", reason="budget", usage=exchange.usage)
        return self.billed(rendered, exchange, step)

    def billed(self, rendered: Rendered, exchange: Exchange, answer: Answer) -> Answer:
        """The answer with the bill of the call that brought it; a technical failure has none."""
        if answer.status == "failed":
            return answer
        price = self.settings.prices.get(self.settings.model(rendered.stage))
        return replace(answer, bill=bill_of(exchange.latest, price, self.settings.mode == "batch"))

    def count(self, rendered: Rendered, answer: Answer) -> None:
        """Count the outcome of a question."""
        stage = self.stage(rendered.stage)
        stage.questions += 1
        stage.cut += rendered.cut
        stage.statuses[answer.status] += 1
        if answer.reason is not None:
            stage.reasons[answer.reason] += 1

    async def _send(self, rendered: Rendered, call: Call) -> Reply:
        """One call with retries; behind the first call of its prefix, so that the others find it cached."""
        model = self.settings.model(rendered.stage)
        price = self.settings.prices.get(model)
        if not is_cacheable(rendered, price):
            return await self._attempts(rendered, call, model, price)
        name = rendered.prefix() + model.encode()
        known, now = self._prefixes.get(name), time.monotonic()
        if known is None or (known.ready.is_set() and now - known.used > _PREFIX_SECONDS):
            known = self._prefixes[name] = _Prefix(asyncio.Event(), now)
            try:
                return await self._attempts(rendered, call, model, price)
            finally:
                known.used = time.monotonic()
                known.ready.set()
        await known.ready.wait()
        known.used = time.monotonic()
        return await self._attempts(rendered, call, model, price)

    async def _attempts(self, rendered: Rendered, call: Call, model: str, price: Price | None) -> Reply:
        body = request_body(rendered, call, model, price, "5m")
        reservation = reservation_of(rendered, call, price)
        spent = Usage()
        for attempt in range(self.settings.attempts):
            outcome, wait = await self._once(body, rendered, price, reservation)
            spent = add_usage(spent, outcome.usage)
            if outcome.failure is None or wait is None:
                return self._finished(Reply(outcome.text, outcome.stop, spent, outcome.failure))
            self.stage(rendered.stage).retries += 1
            if self._answered == 0 and outcome.failure in ("network", "lost") and attempt >= 2:
                raise UserError(
                    f"No answer from {self.server}: check the network and ANTHROPIC_BASE_URL; nothing was "
                    "lost, run again."
                )
            if attempt + 1 < self.settings.attempts:
                await asyncio.sleep(max(wait, self._backoff(attempt)))
        return self._finished(Reply(usage=spent, failure=outcome.failure))

    def _backoff(self, attempt: int) -> float:
        longest = min(self.settings.longest_backoff, self.settings.backoff * 2**attempt)
        return longest * (0.5 + self._random.random() / 2)

    def _finished(self, reply: Reply) -> Reply:
        """Keep count of questions that failed in a row; a server that answers nobody stops the run."""
        if reply.failure is None:
            self._answered += 1
            self._failed_in_a_row = 0
            return reply
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= self.settings.give_up_after:
            raise UserError(
                f"{self.server} did not answer {self._failed_in_a_row} questions in a row (last reason: "
                f"{reply.failure}); the answers so far are kept, run again later."
            )
        return reply

    async def _once(
        self, body: dict[str, Any], rendered: Rendered, price: Price | None, reservation: float
    ) -> tuple[Reply, float | None]:
        """One attempt: the reply, and the seconds to wait before another one (None: there is to be no
        other)."""
        await self.gate.enter()
        reserved, answered, cost = False, False, 0.0
        try:
            reserved = await self.settings.budget.reserve_patiently(reservation)
            if not reserved:
                raise BudgetSpent
            # What may have reached the server counts as paid until the server says otherwise.
            cost = reservation
            reply, wait = await self._call(body)
            answered = reply.failure is None
            lost = reply.failure in ("lost", "timeout")
            cost = reservation if lost else price.cost(reply.usage) if price is not None else 0.0
            if reply.usage.calls:
                self.stage(rendered.stage).add(reply.usage, cost)
            return reply, wait
        finally:
            self.gate.leave(answered)
            if reserved:
                self.settings.budget.settle(reservation, cost)

    async def _call(self, body: dict[str, Any]) -> tuple[Reply, float | None]:
        try:
            async with asyncio.timeout(self.settings.deadline):
                raw = await self.client.messages.with_raw_response.create(**body)
                content = raw.http_response.content
        except (TimeoutError, anthropic.APITimeoutError):
            return Reply(usage=Usage(1), failure="timeout"), 0.0
        except anthropic.APIStatusError as error:
            return self._refused(error, str(body["model"]))
        except anthropic.APIConnectionError as error:
            # A connection that broke after the request went out may have been paid for.
            never_sent = isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)
            return Reply(usage=Usage(1), failure="network" if never_sent else "lost"), 0.0
        except anthropic.APIError:
            return Reply(usage=Usage(1), failure="garbled"), 0.0
        self.gate.heed(raw.headers)
        try:
            reply = reply_of(orjson.loads(content))
        except orjson.JSONDecodeError:
            reply = None
        if reply is None:
            return Reply(usage=Usage(1), failure="garbled"), 0.0
        return reply, None

    def _refused(self, error: anthropic.APIStatusError, model: str) -> tuple[Reply, float | None]:
        """What an error status means: for the run (raises), for this question, or for this attempt only."""
        status = error.status_code
        stop_for_status(status, error_type(error), self.server, model, self._answered > 0)
        if status == _TOO_LONG:
            return Reply(usage=Usage(1), failure="too_long"), None
        if status < 500 and status not in _RETRY:
            return Reply(usage=Usage(1), failure=f"rejected_{status}"), None
        wait = retry_after(error.response.headers)
        if status in (429, 529):
            self.gate.complain(wait or 0.0)
        return Reply(usage=Usage(1), failure=_RETRY.get(status, "server_error")), wait or 0.0

    async def preflight(self, models: list[str]) -> None:
        """Check key, address and models with the models endpoint, where the server has one.

        Raises:
            UserError: the key is refused, the server cannot be reached, or a model is unknown or retired.
        """
        for model in models:
            for attempt in range(3):
                try:
                    async with asyncio.timeout(30):
                        info = await self.client.models.retrieve(model)
                except anthropic.APIStatusError as error:
                    if error.status_code in (401, 403) or error_type(error) == "not_found_error":
                        stop_for_status(error.status_code, error_type(error), self.server, model, False)
                    break
                except (anthropic.APIConnectionError, TimeoutError):
                    if attempt == 2:
                        raise UserError(
                            f"{self.server} cannot be reached; check the network and ANTHROPIC_BASE_URL, "
                            "then run again."
                        ) from None
                    await asyncio.sleep(self._backoff(attempt))
                except (anthropic.APIError, TypeError, ValueError):
                    break
                else:
                    if getattr(info, "lifecycle", None) == "retired":
                        raise UserError(f"The model {model} is retired; name another one in vars.models.")
                    break


def error_type(error: anthropic.APIStatusError) -> str:
    """The API's error type, or an empty string; never its message, which may quote the request."""
    body = error.body
    inner = body.get("error") if isinstance(body, dict) else None
    kind = inner.get("type") if isinstance(inner, dict) else None
    return kind if isinstance(kind, str) else ""


def stop_for_status(status: int, kind: str, server: str, model: str, has_answered: bool) -> None:
    """Raise for an error status that no other question would survive.

    Raises:
        UserError: 401, 403, 402 or a billing error, and 404; the message says what to do.
    """
    if status == 401:
        raise UserError(
            f"{server} refused the key in ANTHROPIC_API_KEY (401); set a valid key and run again."
        )
    if status == 403:
        raise UserError(
            f"The key in ANTHROPIC_API_KEY may not use {model} on {server} (403); ask for access to it."
        )
    if status == 402 or kind == "billing_error":
        raise UserError(
            f"The account behind ANTHROPIC_API_KEY has no credit left ({status}); add some and run again."
        )
    if status == 404 and not has_answered:
        what = (
            f"does not know the model {model}"
            if kind == "not_found_error"
            else "has no Messages API at this address"
        )
        raise UserError(f"{server} {what} (404); check vars.models and ANTHROPIC_BASE_URL.")


def reservation_of(rendered: Rendered, call: Call, price: Price | None) -> float:
    """Dollars that one call may cost at most: careful input at the price of a cache write, and all its
    output."""
    if price is None:
        return 0.0
    tokens = estimate_tokens(rendered.static) + sum(estimate_tokens(m["content"]) for m in call.messages)
    tokens += len(orjson.dumps(rendered.schema)) // 2
    return (
        _CAREFUL * tokens * max(price.input, price.cache_write_5m) + call.max_tokens * price.output
    ) / 1_000_000
