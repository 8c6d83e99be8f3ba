"""The engine that answers only from the ledger: for CI and audits. A miss stops the build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from economic_index.engines.base import Answer, Engine, Request
from economic_index.errors import UserError


class ReplayEngine:
    """Has the keys of another engine and never asks it. ``ask`` finds in the ledger what was answered
    before."""

    name = "replay"

    def __init__(self, recorded: Engine) -> None:
        """``recorded``: the engine, configured as in the run to be replayed; only its ``key`` and
        ``identity`` are used."""
        self._recorded = recorded

    def key(self, request: Request) -> bytes:
        """The key of the recorded engine: the same question finds the same answer."""
        return self._recorded.key(request)

    def answers(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Called only for requests that the ledger does not know.

        Raises:
            UserError: always, when there is any request.
        """
        if requests:
            raise UserError(
                f"The answer ledger has no answer for {len(requests):,} requests of engine "
                f"{self._recorded.name}, so they "
                "cannot be replayed; run with that engine and the same models, taxonomy and strategy first."
            )
        return iter(())

    def identity(self) -> Mapping[str, str]:
        """The recorded engine's identity, marked as replayed."""
        return {**self._recorded.identity(), "engine": self.name, "replayed_engine": self._recorded.name}
