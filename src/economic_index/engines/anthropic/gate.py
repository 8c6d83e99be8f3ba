"""How many calls may be in flight: grows while the server is content, shrinks when it says it is not."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

START = 16
#: Waits longer than this, whatever the server asks for, are cut: a typo in a header must not stop a run for
#: years.
LONGEST_WAIT = 300.0
_SHRINK = 0.7
_LIMITS = ("requests", "tokens", "input-tokens", "output-tokens")


class Gate:
    """A counting gate for one event loop, with a common pause.

    As in TCP: before the first complaint the limit grows by one for every answer, afterwards by one for every
    full round; a complaint (429, 529) shrinks it to 70 %, at most once a second, and all callers wait as long
    as the server asked.
    """

    def __init__(self, ceiling: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.ceiling = max(1, ceiling)
        self.limit = float(min(START, self.ceiling))
        self.in_flight = 0
        self.resume_at = 0.0
        self.complaints = 0
        self._last_shrink = float("-inf")
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Wait for a place; every ``enter`` is followed by one ``leave``."""
        while True:
            pause = self.resume_at - self._clock()
            if pause > 0:
                await asyncio.sleep(min(pause, LONGEST_WAIT))
            elif self.in_flight < int(self.limit):
                self.in_flight += 1
                return
            else:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.append(future)
                try:
                    await future
                except asyncio.CancelledError:
                    if future.done() and not future.cancelled():
                        self._wake()
                    raise

    def leave(self, answered: bool) -> None:
        """Give the place back; ``answered``: the server did what was asked."""
        self.in_flight -= 1
        if answered:
            step = 1.0 if self.complaints == 0 else 1.0 / max(1.0, self.limit)
            self.limit = min(float(self.ceiling), self.limit + step)
        self._wake()

    def complain(self, wait: float) -> None:
        """The server is overloaded or limits the rate: fewer calls, and none for ``wait`` seconds."""
        now = self._clock()
        self.complaints += 1
        if now - self._last_shrink >= 1.0:
            self.limit = max(1.0, self.limit * _SHRINK)
            self._last_shrink = now
        self.resume_at = max(self.resume_at, now + min(wait, LONGEST_WAIT))

    def heed(self, headers: Mapping[str, str]) -> None:
        """Pause until the reset when a rate limit that the server reports is used up."""
        for name in _LIMITS:
            if headers.get(f"anthropic-ratelimit-{name}-remaining") == "0":
                wait = _until(headers.get(f"anthropic-ratelimit-{name}-reset", ""))
                if wait > 0:
                    self.resume_at = max(self.resume_at, self._clock() + min(wait, LONGEST_WAIT))

    def _wake(self) -> None:
        free = int(self.limit) - self.in_flight
        while free > 0 and self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                free -= 1


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait (``retry-after-ms``, ``retry-after`` in seconds or as a date), or
    None."""
    for name, factor in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        raw = headers.get(name)
        if raw is None:
            continue
        try:
            seconds = float(raw) * factor
        except ValueError:
            try:
                seconds = (parsedate_to_datetime(raw) - datetime.now(UTC)).total_seconds()
            except (TypeError, ValueError):
                continue
        if seconds == seconds:
            return min(max(0.0, seconds), LONGEST_WAIT)
    return None


def _until(moment: str) -> float:
    try:
        return (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0
