"""kura 0.5.4 on the same conversations: run by kura's own Python, against a fake of the protocol that it
speaks.

``serve`` (our Python) answers chat completions with tool calls, and embeddings, after a pause, with the
faults that ``bench_engine.py`` gives our own engine. ``run`` (kura's Python) summarises and clusters with
checkpoints on.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

LATENCY = 0.05
#: As in bench_engine.py.
REFUSED, MALFORMED = "for case 7.", "for case 11."


def serve(faulty: bool) -> None:
    """Serve until killed; the first line on standard output is the address."""
    from aiohttp import web

    seen: Counter[str] = Counter()
    struck: Counter[bytes] = Counter()

    async def chat(request: web.Request) -> web.Response:
        body = await request.json()
        await asyncio.sleep(LATENCY)
        seen["attempts"] += 1
        words = json.dumps(body["messages"])
        name = hashlib.sha256(words.encode()).digest()
        draw = int.from_bytes(name[:4], "big") / 2**32
        schema = body["tools"][0]["function"]["name"]
        if faulty and schema == "GeneratedSummary":
            if REFUSED in words:
                return web.json_response(
                    {"error": {"message": "not accepted", "type": "invalid_request_error"}}, status=400
                )
            struck[name] += 1
            if draw < 0.01 and struck[name] == 1:
                return web.json_response({"error": {"message": "overloaded"}}, status=503)
        seen["calls"] += 1
        tokens = len(words) // 4 + len(json.dumps(body["tools"])) // 4
        seen["input"] += tokens
        made: dict[str, Any] = {
            "summary": f"A request {name.hex()[:6]}.",
            "request": "x",
            "topic": "work",
            "languages": ["english"],
            "task": "Help",
            "concerning_score": 1,
            "user_frustration": 1,
            "assistant_errors": [],
            "name": f"Help with matter {name.hex()[:4]}",
            "slug": "help_with_matter",
            "candidate_cluster_names": ["Help with work"],
            "higher_level_cluster": "Help with work",
        }
        text = json.dumps(made)
        if faulty and schema == "GeneratedSummary" and MALFORMED in words and struck[name] == 1:
            text = text[: len(text) // 2]
        call = {"id": "c1", "type": "function", "function": {"name": schema, "arguments": text}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        usage = {
            "prompt_tokens": tokens,
            "completion_tokens": len(text) // 4,
            "total_tokens": tokens + len(text) // 4,
        }
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        return web.json_response(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [choice],
                "usage": usage,
            }
        )

    async def embed(request: web.Request) -> web.Response:
        body = await request.json()
        rows = []
        for i, text in enumerate(body["input"]):
            raw = hashlib.sha512(text.encode()).digest()
            rows.append({"object": "embedding", "index": i, "embedding": [byte / 255 for byte in raw]})
        return web.json_response(
            {
                "object": "list",
                "data": rows,
                "model": body["model"],
                "usage": {"prompt_tokens": 1, "total_tokens": 1},
            }
        )

    async def stats(_: web.Request) -> web.Response:
        return web.json_response(dict(seen))

    async def run() -> None:
        app = web.Application(client_max_size=2**26)
        app.add_routes(
            [
                web.post("/v1/chat/completions", chat),
                web.post("/v1/embeddings", embed),
                web.get("/stats", stats),
            ]
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(json.dumps({"url": f"http://127.0.0.1:{runner.addresses[0][1]}"}), flush=True)
        await asyncio.Event().wait()

    asyncio.run(run())


def run(source: Path, home: Path) -> None:
    """Summarise and cluster; prints one JSON line."""
    import logging
    from datetime import datetime

    import instructor
    from kura.checkpoints import JSONLCheckpointManager
    from kura.cluster import ClusterDescriptionModel, generate_base_clusters_from_conversation_summaries
    from kura.embedding import OpenAIEmbeddingModel
    from kura.summarisation import SummaryModel, summarise_conversations
    from kura.types import Conversation, Message

    logging.disable(logging.CRITICAL)
    # kura drops its client after each stage, and the next stage then hangs on plain HTTP: keep every one.
    kept, make = [], instructor.from_provider

    def keeping(*arguments: Any, **named: Any) -> Any:
        kept.append(make(*arguments, **named))
        return kept[-1]

    instructor.from_provider = keeping  # type: ignore[assignment]
    now = datetime(2025, 1, 1)
    talks = [
        Conversation(
            chat_id=f"c{i}",
            created_at=now,
            metadata={},
            messages=[
                Message(created_at=now, role="user", content=a),
                Message(created_at=now, role="assistant", content=b),
            ],
        )
        for i, (a, b) in enumerate(json.loads(source.read_text()))
    ]
    store = JSONLCheckpointManager(str(home))

    async def work() -> int:
        model = SummaryModel(model="openai/gpt-4o-mini", max_concurrent_requests=64)
        summaries = await summarise_conversations(talks, model=model, checkpoint_manager=store)
        clusters = await generate_base_clusters_from_conversation_summaries(
            summaries,
            embedding_model=OpenAIEmbeddingModel(),
            checkpoint_manager=store,
            clustering_model=ClusterDescriptionModel(model="openai/gpt-4o-mini", max_concurrent_requests=64),
        )
        return sum(len(cluster.chat_ids) for cluster in clusters)

    start, cpu = time.monotonic(), time.process_time()
    try:
        done, error = asyncio.run(asyncio.wait_for(work(), 300)), None
    except BaseException as failure:
        done, error = 0, type(failure).__name__
    print(
        json.dumps(
            {
                "wall": time.monotonic() - start,
                "cpu": time.process_time() - cpu,
                "completed": done,
                "error": error,
                "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve("faulty" in sys.argv[2:])
    else:
        run(Path(sys.argv[2]), Path(sys.argv[3]))
