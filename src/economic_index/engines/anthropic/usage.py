"""Writes what a run uses into the usage record while the calls come in."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from economic_index.engines.anthropic.money import Budget, StageUsage, nanodollars
from economic_index.engines.asking import COMMIT_SECONDS
from economic_index.engines.usage import COUNTERS, UsageStore

_Counts = tuple[int, ...]


class Recorder:
    """Commits the differences every twentieth of a second, as the ledger commits answers, and at the end.

    Differences, because several engines (taxonomy, labelling) may belong to one run.
    """

    def __init__(self, path: Path, run_id: str, stages: Mapping[str, StageUsage], budget: Budget) -> None:
        """Begin to record.

        Args:
            path: the usage record.
            run_id: the run that pays.
            stages: the sender's counters, which grow while this looks on.
            budget: the run's budget; what it held at the start was recorded by somebody else.

        Raises:
            UserError: the record cannot be opened.
        """
        self._store = UsageStore(path)
        self._run_id = run_id
        self._stages = stages
        self._budget = budget
        self._written: dict[tuple[str, str, str], _Counts] = {}
        self._paid = (budget.calls, nanodollars(budget.spent))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._clock = threading.Thread(target=self._tick, name="usage-commit", daemon=True)
        self._clock.start()

    def flush(self) -> None:
        """Write what is not written yet.

        Raises:
            UserError: the record cannot be written, now or on the clock before.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            self._commit()

    def close(self) -> None:
        """Write the rest and close the record; raises as ``flush`` does."""
        self._stop.set()
        self._clock.join()
        try:
            self.flush()
        finally:
            self._store.close()

    def _tick(self) -> None:
        while not self._stop.wait(COMMIT_SECONDS):
            with self._lock:
                try:
                    self._commit()
                except Exception as error:
                    self._error = error
                    return

    def _commit(self) -> None:
        now = {(name, used.model, used.mode): counts_of(used) for name, used in list(self._stages.items())}
        paid = (self._budget.calls, nanodollars(self._budget.spent))
        nothing = (0,) * len(COUNTERS)
        grown = {
            name: tuple(new - old for new, old in zip(counts, self._written.get(name, nothing), strict=True))
            for name, counts in now.items()
            if counts != self._written.get(name)
        }
        if not grown and paid == self._paid:
            return
        self._store.add(self._run_id, paid[0] - self._paid[0], paid[1] - self._paid[1], grown)
        self._written.update(now)
        self._paid = paid


def counts_of(used: StageUsage) -> _Counts:
    """A stage's counters in the order of ``economic_index.engines.usage.COUNTERS``."""
    return (
        used.questions,
        used.calls,
        used.retries,
        used.statuses["ok"],
        used.statuses["invalid"],
        used.statuses["refused"],
        used.statuses["failed"],
        used.reasons["budget"],
        used.cut,
        used.input_tokens,
        used.cache_read_tokens,
        used.cache_write_tokens,
        used.output_tokens,
        nanodollars(used.cost_usd),
    )
