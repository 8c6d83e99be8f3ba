"""Prices, reservations and counters. Money is in US dollars; tokens are counted by the server."""

from __future__ import annotations

import asyncio
import csv
import re
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from economic_index.engines.base import Bill, Usage
from economic_index.errors import UserError

_DATED = re.compile(r"-20\d{6}$")
_MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """One row of the price table: dollars per million tokens, and what else a model asks for."""

    model: str
    input: float
    output: float
    cache_read: float
    cache_write_5m: float
    cache_write_1h: float
    batch_factor: float
    min_prefix_tokens: int
    thinking: str = ""
    effort: str = ""

    def cost(self, usage: Usage, batch: bool = False) -> float:
        """Dollars for a usage; cache writes at the price of the lifetime that the mode uses."""
        write = self.cache_write_1h if batch else self.cache_write_5m
        dollars = (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_read_tokens * self.cache_read
            + usage.cache_write_tokens * write
        ) / _MILLION
        return dollars * self.batch_factor if batch else dollars


def bill_of(usage: Usage, price: Price | None, batch: bool = False) -> Bill:
    """The bill of one answered call.

    In direct mode a prefix that had to be written into the cache costs what reading it costs: which call wrote
    it depends on interruptions and on the clock, and a run writes each prefix a few times at most. In batch mode
    writes are frequent, and a submitted item is never sent again: there they count as they were billed.
    """
    cached = usage.cache_read_tokens + usage.cache_write_tokens
    priced = usage if batch else Usage(usage.calls, usage.input_tokens, cached, 0, usage.output_tokens)
    cost = None if price is None else nanodollars(price.cost(priced, batch))
    return Bill(usage.input_tokens, cached, usage.output_tokens, cost)


def nanodollars(dollars: float) -> int:
    """Dollars as whole billionths."""
    return round(dollars * 1_000_000_000)


class PriceTable:
    """Prices by model. The package's ``prices.csv`` can be copied, edited and named by
    ``ECONOMIC_INDEX_PRICES``."""

    def __init__(self, prices: Mapping[str, Price], source: str) -> None:
        self._prices = dict(prices)
        self.source = source

    @classmethod
    def read(cls, path: Path | None = None) -> PriceTable:
        """Read a price table (the package's own by default).

        Raises:
            UserError: the file is missing, or a row lacks a column or holds no number.
        """
        source = str(path) if path is not None else "the package's prices.csv"
        try:
            text = (path or files(__package__) / "prices.csv").read_text(encoding="utf-8")
        except OSError:
            raise UserError(
                f"The price table {source} cannot be read; copy the package's prices.csv there."
            ) from None
        prices = {}
        for number, row in enumerate(csv.DictReader(text.splitlines()), 2):
            try:
                price = _price(row)
            except (KeyError, TypeError, ValueError):
                raise UserError(
                    f"Line {number} of the price table {source} is not valid; keep the columns of the "
                    "package's prices.csv and numbers in dollars per million tokens."
                ) from None
            prices[price.model] = price
        return cls(prices, source)

    def get(self, model: str) -> Price | None:
        """The price of a model, its dated name (``…-20251001``) included; None when the table does not have
        it."""
        return self._prices.get(model) or self._prices.get(_DATED.sub("", model))

    def need(self, model: str) -> Price:
        """The price of a model.

        Raises:
            UserError: the table does not have it.
        """
        price = self.get(model)
        if price is None:
            raise UserError(
                f"The model {model} has no row in {self.source}; add one (ECONOMIC_INDEX_PRICES may name a "
                "copy of the table), or name a model that has one in vars.models."
            )
        return price


def _price(row: dict[str, Any]) -> Price:
    numbers = {
        name: float(row[name])
        for name in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "batch_factor")
    }
    if min(numbers.values()) < 0:
        raise ValueError
    return Price(
        model=row["model"].strip(),
        min_prefix_tokens=int(row["min_prefix_tokens"]),
        thinking=(row["thinking"] or "").strip(),
        effort=(row["effort"] or "").strip(),
        **numbers,
    )


class Budget:
    """Hard limits of one run. A call is paid from a reservation that was made before it; thread-safe.

    What is reserved counts as spent until it is settled, so the limits hold whatever is in flight.
    """

    def __init__(
        self,
        max_cost: float | None = None,
        max_calls: int | None = None,
        spent: float = 0.0,
        calls: int = 0,
    ) -> None:
        """Limits in dollars and in calls sent, retries included; None means none.

        ``spent`` and ``calls``: what this run has used up already, through another engine (the taxonomy before
        the labelling).

        Raises:
            UserError: a limit is negative.
        """
        if (max_cost is not None and max_cost < 0) or (max_calls is not None and max_calls < 0):
            raise UserError("max_cost and max_calls must not be negative; leave them null for no limit.")
        self.max_cost = max_cost
        self.max_calls = max_calls
        self.spent = spent
        self.calls = calls
        self.reserved = 0.0
        self.open = 0
        self.stopped = False
        self._lock = threading.Lock()

    def reserve(self, cost: float, calls: int = 1) -> bool:
        """Set aside ``cost`` dollars and ``calls`` calls; False when they do not fit, and nothing is set
        aside."""
        with self._lock:
            over_cost = (
                self.max_cost is not None and self.spent + self.reserved + cost > self.max_cost + 1e-12
            )
            over_calls = self.max_calls is not None and self.calls + calls > self.max_calls
            if over_cost or over_calls:
                return False
            self.reserved += cost
            self.calls += calls
            self.open += 1
            return True

    def settle(self, reserved: float, actual: float) -> None:
        """Replace a reservation by what the call did cost (0 for a call that the server refused)."""
        with self._lock:
            self.reserved = max(0.0, self.reserved - reserved)
            self.spent += actual
            self.open -= 1

    async def reserve_patiently(self, cost: float) -> bool:
        """Reserve, waiting for calls in flight to settle: reservations are generous, so room may come
        back."""
        while not self.reserve(cost):
            if self.stopped or self.open == 0 or self._calls_used_up():
                self.stopped = True
                return False
            await asyncio.sleep(0.02)
        return True

    def _calls_used_up(self) -> bool:
        return self.max_calls is not None and self.calls >= self.max_calls


@dataclass
class StageUsage:
    """What one stage did in this run."""

    model: str
    mode: str
    questions: int = 0
    calls: int = 0
    retries: int = 0
    cut: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, usage: Usage, cost: float) -> None:
        """Count one answered call."""
        self.calls += usage.calls
        self.input_tokens += usage.input_tokens
        self.cache_read_tokens += usage.cache_read_tokens
        self.cache_write_tokens += usage.cache_write_tokens
        self.output_tokens += usage.output_tokens
        self.cost_usd += cost


def add_usage(one: Usage, other: Usage) -> Usage:
    """Sum of two usages."""
    return Usage(
        one.calls + other.calls,
        one.input_tokens + other.input_tokens,
        one.cache_read_tokens + other.cache_read_tokens,
        one.cache_write_tokens + other.cache_write_tokens,
        one.output_tokens + other.output_tokens,
    )
