"""``python -m economic_index.testing.fake_messages``: run the fake server by hand."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from economic_index.testing.fake_messages.mischief import ATTEMPTS, Mischief
from economic_index.testing.fake_messages.oracle import Oracle
from economic_index.testing.fake_messages.server import FakeServer, Settings


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and serve until interrupted. Prints one JSON line with the address when it
    listens."""
    parser = argparse.ArgumentParser(
        prog="python -m economic_index.testing.fake_messages", description=__doc__
    )
    parser.add_argument("--port", type=int, default=8399, help="0 lets the system choose")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--key", help="accept only this key; without it any key is accepted")
    parser.add_argument(
        "--oracle", type=Path, help="JSONL of right answers; without it answers go by word overlap"
    )
    parser.add_argument("--requests-per-minute", type=int)
    parser.add_argument("--batch-seconds", type=float, default=1.0, help="time a batch takes")
    parser.add_argument("--lose-batch-answer", type=int, action="append", default=[], metavar="N")
    parser.add_argument(
        "--mischief",
        action="append",
        default=[],
        metavar="KIND=SHARE",
        help=f"misbehave on a share of the questions; kinds: {', '.join(ATTEMPTS)}",
    )
    parser.add_argument(
        "--mischief-at",
        action="append",
        default=[],
        metavar="KIND=TEXT",
        help="misbehave on questions that hold a text; a passing fault on the first of them only",
    )
    given = parser.parse_args(arguments)
    try:
        shares = {kind: float(share) for kind, _, share in (entry.partition("=") for entry in given.mischief)}
        marks = {text: kind for kind, _, text in (entry.partition("=") for entry in given.mischief_at)}
        mischief = Mischief(shares, marked=marks)
    except ValueError as error:
        parser.error(str(error))
    settings = Settings(
        latency=given.latency,
        key=given.key,
        requests_per_minute=given.requests_per_minute,
        batch_seconds=given.batch_seconds,
        lose_batch_answers=frozenset(given.lose_batch_answer),
    )
    server = FakeServer(Oracle.read(given.oracle) if given.oracle else None, settings, mischief, given.port)
    try:
        asyncio.run(_serve(server))
    except KeyboardInterrupt:
        print(json.dumps(server.stats.as_json()), file=sys.stderr)


async def _serve(server: FakeServer) -> None:
    runner = await server.start()
    print(json.dumps({"url": server.url}), flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    main()
