"""Asking through the ledger: look up, send only what is missing, keep every answer as it arrives."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from economic_index.engines.base import Answer, Engine, Request, check
from economic_index.engines.ledger import Ledger
from economic_index.engines.usage import Tally

#: Called as ``progress(done, total)`` in requests, those answered from the ledger included.
Progress = Callable[[int, int], None]

#: An answer waits at most this long, or for this many others, before it is committed. One commit with
#: ``synchronous = FULL`` costs a disk flush (1 to 20 ms): too much per answer for a fast engine, nothing per
#: batch.
COMMIT_SECONDS = 0.05
COMMIT_ANSWERS = 200


def ask(
    engine: Engine,
    ledger: Ledger,
    requests: Sequence[Request],
    progress: Progress | None = None,
    tally: Tally | None = None,
) -> list[Answer]:
    """Answer ``requests`` in order; whatever the ledger knows is not asked again.

    Requests with the same key are sent once. Every answer passes ``check``: one that is not among the options
    offered becomes ``invalid``. ``ok``, ``invalid`` and ``refused`` answers are stored; a ``failed`` one (a
    technical end) is not, so that the next run tries it again. Should the engine raise or be interrupted,
    what had arrived is committed first. ``tally`` counts what the answers cost, those of the ledger included.

    Raises:
        UserError: the ledger cannot be read or written, or the engine's own (a replay miss, say).
        RuntimeError: the engine left a request without an answer, which is a fault in the engine.
    """
    keys = [engine.key(request) for request in requests]
    known = ledger.get_many(keys)
    times_asked = Counter(keys)
    missing: dict[bytes, Request] = {}
    for key, request in zip(keys, requests, strict=True):
        if key not in known:
            missing.setdefault(key, request)
    done = sum(times_asked[key] for key in known)
    if progress is not None:
        progress(done, len(keys))
    if missing:
        open_keys, open_requests = list(missing), list(missing.values())
        with _committer(ledger, engine.identity()) as committer:
            for position, raw in engine.answers(open_requests):
                key, request = open_keys[position], open_requests[position]
                answer = known[key] = check(request, raw)
                if answer.status != "failed":
                    committer.add(key, request.stage, answer)
                done += times_asked[key]
                if progress is not None:
                    progress(done, len(keys))
        # Where another process was faster its answer counts, so that this run and the next agree.
        known.update(committer.already_there)
    unanswered = len(missing.keys() - known.keys())
    if unanswered:
        raise RuntimeError(f"engine {engine.name} left {unanswered} requests without an answer")
    if tally is not None:
        for key, request in zip(keys, requests, strict=True):
            tally.add(key, request.stage, known[key])
    return [known[key] for key in keys]


class _Committer:
    """Collects answers and commits them: every ``COMMIT_ANSWERS`` at once, the rest by a thread's clock.

    The clock matters for slow engines: an answer that arrives alone must not wait for the next one.
    """

    def __init__(self, ledger: Ledger, meta: Mapping[str, str]) -> None:
        self.already_there: dict[bytes, Answer] = {}
        self._ledger = ledger
        self._meta = dict(meta)
        self._waiting: list[tuple[bytes, str, Answer]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._clock = threading.Thread(target=self._tick, name="ledger-commit", daemon=True)
        self._clock.start()

    def add(self, key: bytes, stage: str, answer: Answer) -> None:
        """Take an answer; raises what a commit on the clock's thread raised."""
        with self._lock:
            if self._error is not None:
                raise self._error
            self._waiting.append((key, stage, answer))
            if len(self._waiting) >= COMMIT_ANSWERS:
                self._commit()

    def close(self) -> None:
        """Stop the clock and commit what is left."""
        self._stop.set()
        self._clock.join()
        with self._lock:
            if self._error is not None:
                raise self._error
            self._commit()

    def _tick(self) -> None:
        while not self._stop.wait(COMMIT_SECONDS):
            with self._lock:
                try:
                    self._commit()
                except Exception as error:
                    self._error = error
                    return

    def _commit(self) -> None:
        rows, self._waiting = self._waiting, []
        self.already_there.update(self._ledger.put_many(rows, self._meta))


@contextmanager
def _committer(ledger: Ledger, meta: Mapping[str, str]) -> Iterator[_Committer]:
    """A committer that is closed, and so has committed everything, however the block ends."""
    committer = _Committer(ledger, meta)
    try:
        yield committer
    finally:
        committer.close()
