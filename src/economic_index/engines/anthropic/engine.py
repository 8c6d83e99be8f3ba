"""The ``anthropic`` engine: Claude through direct calls or Message Batches, behind the seam of
``engines.base``."""

from __future__ import annotations

import asyncio
import queue
import threading
import weakref
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import anthropic

from economic_index.conversation import Conversation
from economic_index.engines.anthropic.batch import BatchRunner
from economic_index.engines.anthropic.client import Sender, make_client
from economic_index.engines.anthropic.money import StageUsage
from economic_index.engines.anthropic.progress import Progress
from economic_index.engines.anthropic.prompts import prompt_hashes
from economic_index.engines.anthropic.render import Rendered, render
from economic_index.engines.anthropic.settings import Settings, check_environment
from economic_index.engines.anthropic.usage import Recorder
from economic_index.engines.base import Answer, Request

_NOBODY = Conversation("", ())


@dataclass(frozen=True)
class Question(Request):
    """A request that is rendered already: for work that is not about one conversation (the taxonomy).

    Its answer is in ``Answer.summary``, as the text that the prompt's own reader accepted.
    """

    rendered: Rendered | None = None

    @classmethod
    def of(cls, rendered: Rendered) -> Question:
        """Wrap a rendered prompt."""
        return cls(rendered.stage, _NOBODY, (), None, rendered)


class AnthropicEngine:
    """Claude as the judge. One client and one event loop (in a thread) for the engine's life; close it when
    done."""

    name = "anthropic"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cut_conversations = 0
        self._host: _Host | None = None

    def render(self, request: Request) -> Rendered:
        """The prompt for a request."""
        if isinstance(request, Question) and request.rendered is not None:
            return request.rendered
        return render(request, self.settings.max_conversation_tokens)

    def key(self, request: Request) -> bytes:
        """SHA-256 of engine, model, rendered prompt, schema and parameters. Direct and batch mode share
        it."""
        model = self.settings.model(request.stage)
        price = self.settings.prices.get(model)
        manner = f"{price.thinking}/{price.effort}" if price is not None else ""
        return sha256(
            b"\x00".join((b"anthropic/1", model.encode(), manner.encode(), self.render(request).digest()))
        ).digest()

    def answers(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Answer all requests as they come in; a request that fails is an answer with a reason.

        When the budget is spent the rest is answered ``failed`` with the reason ``budget``: such answers are
        not kept, so that a later run asks them.

        Raises:
            UserError: key, model, address or network make every request fail; what was answered stays
                answered.
        """
        if not requests:
            return
        if self._host is None:
            self._host = _Host(self.settings)
        yield from self._host.run(self, requests)

    def identity(self) -> Mapping[str, str]:
        """Engine, SDK version, models by stage and prompt hashes. No address: it may name an internal
        host."""
        return {
            "engine": self.name,
            "sdk": anthropic.__version__,
            **{f"model_{stage}": model for stage, model in sorted(self.settings.models.items())},
            **{f"prompt_{name}": digest for name, digest in prompt_hashes().items()},
        }

    def usage(self) -> dict[str, StageUsage]:
        """What each stage used in this run; empty when nothing was asked."""
        return self._host.sender.stages if self._host is not None else {}

    def cancel_batches(self) -> int:
        """Cancel our batches that the server still works on; returns how many. What has ended stays
        fetchable."""
        if self._host is None:
            self._host = _Host(self.settings)
        return self._host.cancel()

    def close(self) -> None:
        """Close the client and its thread. The engine can be used again: it opens another."""
        if self._host is not None:
            self._host.close()
            self._host = None

    def __enter__(self) -> AnthropicEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Host:
    """The thread, loop and client of one engine."""

    def __init__(self, settings: Settings) -> None:
        server = check_environment()
        self.settings = settings
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="anthropic-engine", daemon=True)
        self.thread.start()
        self.sender = self._call(self._open(server))
        self.batches = BatchRunner(self.sender) if settings.mode == "batch" else None
        self.recorder: Recorder | None = None
        if settings.usage is not None:
            self.recorder = Recorder(settings.usage, settings.run_id, self.sender.stages, settings.budget)
        self._checked = False
        self._closer = weakref.finalize(self, _stop_loop, self.loop)

    async def _open(self, server: str) -> Sender:
        return Sender(self.settings, server, make_client(self.settings))

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def run(self, engine: AnthropicEngine, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield answers while the loop's thread works; a consumer that stops early stops the work."""
        if not self._checked:
            self._call(
                self.sender.preflight(list(dict.fromkeys(map(self.settings.model, _stages(requests)))))
            )
            self._checked = True
        results: queue.SimpleQueue[tuple[int, Answer] | None] = queue.SimpleQueue()
        taken = _Counter()
        work = (
            self._batch(engine, requests, results)
            if self.batches
            else self._direct(engine, requests, results, taken)
        )
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        future.add_done_callback(lambda _: results.put(None))
        progress = Progress(len(requests), self.sender, self.settings)
        try:
            while (item := results.get()) is not None:
                yield item
                # Counted when the consumer comes back: by then the answer is in its hands, not only in ours.
                taken.value += 1
                progress.tick(item[1])
            future.result()
        finally:
            progress.close()
            if not future.done():
                future.cancel()
                while results.get() is not None:
                    pass
            if self.recorder is not None:
                self.recorder.flush()

    async def _direct(
        self,
        engine: AnthropicEngine,
        requests: Sequence[Request],
        results: queue.SimpleQueue[tuple[int, Answer] | None],
        taken: _Counter,
    ) -> None:
        positions = iter(range(len(requests)))
        put = 0

        async def worker() -> None:
            nonlocal put
            for position in positions:
                while put - taken.value > 2 * self.settings.concurrency:
                    await asyncio.sleep(0.005)
                rendered = engine.render(requests[position])
                answer = await self.sender.answer(rendered)
                self.sender.count(rendered, answer)
                put += 1
                results.put((position, answer))

        tasks = [asyncio.create_task(worker()) for _ in range(min(self.settings.concurrency, len(requests)))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _batch(
        self,
        engine: AnthropicEngine,
        requests: Sequence[Request],
        results: queue.SimpleQueue[tuple[int, Answer] | None],
    ) -> None:
        assert self.batches is not None
        answers: AsyncIterator[tuple[int, Answer]] = self.batches.answers(
            [engine.key(request) for request in requests], lambda position: engine.render(requests[position])
        )
        async for position, answer in answers:
            results.put((position, answer))

    def cancel(self) -> int:
        """Cancel open batches."""
        return int(self._call(self.batches.cancel())) if self.batches is not None else 0

    def close(self) -> None:
        """Close client and loop."""
        if self.loop.is_running():
            self._call(self._shut())
            self._closer()
            self.thread.join(10)
            if self.recorder is not None:
                self.recorder.close()

    async def _shut(self) -> None:
        if self.batches is not None:
            self.batches.close()
        await self.sender.client.close()


@dataclass
class _Counter:
    value: int = 0


def _stages(requests: Sequence[Request]) -> list[str]:
    return list(dict.fromkeys(request.stage for request in requests))


def _stop_loop(loop: asyncio.AbstractEventLoop) -> None:
    if loop.is_running():
        loop.call_soon_threadsafe(loop.stop)
