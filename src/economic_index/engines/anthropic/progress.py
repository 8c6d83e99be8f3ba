"""Progress of a round of questions, on standard error: rate, time left, spend, failures by reason."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import TextIO

from economic_index.engines.anthropic.client import Sender
from economic_index.engines.anthropic.settings import Settings
from economic_index.engines.base import Answer

EVERY_SECONDS = 10.0


class Progress:
    """Writes a line at most every ten seconds and one at the end; nothing at all when switched off."""

    def __init__(self, total: int, sender: Sender, settings: Settings, stream: TextIO | None = None) -> None:
        self._total = total
        self._settings = settings
        self._sender = sender
        self._stream = stream or sys.stderr
        self._start = time.monotonic()
        self._last = self._start
        self._done = 0
        self._failures: Counter[str] = Counter()

    def tick(self, answer: Answer) -> None:
        """Count one answer."""
        self._done += 1
        if answer.status != "ok":
            self._failures[answer.reason or answer.status] += 1
        if self._settings.show_progress and time.monotonic() - self._last >= EVERY_SECONDS:
            self._last = time.monotonic()
            self._write()

    def close(self) -> None:
        """Write the last line, if any was written or the round took long."""
        if self._settings.show_progress and time.monotonic() - self._start >= EVERY_SECONDS:
            self._write()

    def line(self) -> str:
        """The present state as one line without any text of a conversation."""
        seconds = max(1e-9, time.monotonic() - self._start)
        rate = self._done / seconds
        left = (self._total - self._done) / rate if rate > 0 else 0.0
        budget = self._settings.budget
        spend = f"${budget.spent:,.2f}" + (
            f" of ${budget.max_cost:,.2f}" if budget.max_cost is not None else ""
        )
        parts = [
            f"asked {self._done:,} of {self._total:,}",
            f"{rate:,.1f}/s",
            f"{_duration(left)} left",
            spend,
            f"{self._sender.gate.in_flight} in flight",
        ]
        if self._failures:
            parts.append(", ".join(f"{reason} {n:,}" for reason, n in self._failures.most_common(6)))
        if budget.stopped:
            parts.append("stopped at the budget; run again with a higher limit to go on")
        return " · ".join(parts)

    def _write(self) -> None:
        print(self.line(), file=self._stream, flush=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"
