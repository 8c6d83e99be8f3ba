"""The anthropic engine against a fake server with latency, beside a bare SDK loop and, where installed, kura
0.5.4.

    python benchmarks/bench_engine.py [--conversations 500] [--tokens 540] [--kura-python /path/to/python]

Prints one table: calls and tokens per conversation, wall time, CPU per call, peak memory, calls of an
immediate re-run and after 10 % more conversations, and the share that was completed under 1 % overload
errors, one permanent 400 and one malformed answer. Every client runs in a process of its own, the server in
another.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

MODEL = "claude-haiku-4-5"
LATENCY = 0.05
CONCURRENCY = 64
#: Texts of the two conversations that meet a permanent 400 and one malformed answer.
REFUSED, MALFORMED = "for case 7.", "for case 11."
NOTES = """
bare: the SDK in a loop, the first request of compact only. tree6: the paper's six calls (screen, pattern,
skills, three levels). tree, compact, shortlist: all facets of the registry. kura: summaries, base clusters.
billed: uncached + 0.1 x read + 1.25 x written. shortlist's CPU includes embedding the summaries."""


def conversations(count: int, tokens: int) -> list[tuple[str, str]]:
    """(first message, answer) pairs; each is distinct."""
    topics = [
        "a letter",
        "a spreadsheet formula",
        "a lesson plan",
        "a recipe",
        "a contract clause",
        "a data script",
    ]
    return [
        (
            f"Please help me with {topics[i % 6]} for case {i}. " + "Some more words on it. " * (tokens // 6),
            "Here you are.",
        )
        for i in range(count)
    ]


# --- clients, each run as a child process ---


def child_ours(strategy_name: str, count: int, tokens: int, home: Path) -> dict[str, Any]:
    """Our engine with the whole registry (tree: nine calls) over the sample's tasks."""
    # Loading is no part of a call: the bare loop, too, has the SDK loaded before its clock starts.
    import anthropic  # noqa: F401

    from economic_index import embeddings
    from economic_index.conversation import Conversation, Message
    from economic_index.engines.anthropic import AnthropicEngine, make_settings
    from economic_index.engines.ledger import Ledger
    from economic_index.labelling.labels import label_conversations
    from economic_index.labelling.reading import reading_strategy
    from economic_index.labelling.strategies import FieldMaker
    from economic_index.registry import read_registry

    registry = read_registry()
    if "6" in strategy_name:
        kept = ("occupational", "task", "collaboration_pattern", "skill")
        registry = {name: facet for name, facet in registry.items() if name in kept}
    space, fields = paper_space(*((4, 10) if strategy_name == "shortlist" else ())), FieldMaker()
    strategy = reading_strategy(strategy_name.removesuffix("6"), space, fields, registry)
    talks = [
        Conversation(f"c{i}", (Message("user", a), Message("assistant", b)))
        for i, (a, b) in enumerate(conversations(count, tokens))
    ]
    if strategy_name == "shortlist":
        embeddings.encode(["load the encoder"], cache=False, precision="int8")
    start, cpu = time.monotonic(), time.process_time()
    settings = replace(make_settings({"default": MODEL}), concurrency=CONCURRENCY)
    outcomes: dict[str, int] = {}
    with AnthropicEngine(settings) as engine, Ledger(home / f"{strategy_name}.sqlite") as ledger:
        for batch in label_conversations(talks, registry, engine, ledger, strategy, fields):
            for row in batch.to_pylist():
                if row["facet"] == "occupational":
                    outcomes[row["status"]] = outcomes.get(row["status"], 0) + 1
        used = engine.usage().values()
        calls = sum(stage.calls for stage in used)
    return {
        "wall": time.monotonic() - start,
        "cpu": time.process_time() - cpu,
        "calls": calls,
        "accounted": sum(outcomes.values()),
        "completed": outcomes.get("ok", 0),
    }


def paper_space(middles: int = 39, bases: int = 41) -> Any:
    """12 x 39 x 41 tasks of O*NET's mean length; fewer where every task has to be embedded."""
    from economic_index.labelling.task_space import TaskSpace

    tasks, held, tree, number = [], [], [], 0
    for top in range(12):
        tree.append(
            {
                "node_id": f"t{top}",
                "parent_node_id": None,
                "name": f"Work of kind {top} with care",
                "task_id": None,
            }
        )
        for middle in range(middles):
            own = f"m{top}-{middle}"
            name = f"Work of kind {top} in branch {middle} with care and to the rules"
            tree.append({"node_id": own, "parent_node_id": f"t{top}", "name": name, "task_id": None})
            for _ in range(bases):
                number += 1
                text = (
                    f"Handle matter {number} of kind {top}, branch {middle}, with care and by the rules of it"
                )
                tasks.append({"task_id": number, "task": text})
                held.append({"task_id": number, "soc_major_code": "11"})
                tree.append({"node_id": f"b{number}", "parent_node_id": own, "name": text, "task_id": number})
    return TaskSpace.from_rows(tasks, held, tree)


def child_bare(count: int, tokens: int) -> dict[str, Any]:
    """The SDK in a loop, nothing else: the same first request as ours, no ledger, no checks."""
    import anthropic

    from economic_index.conversation import Conversation, Message
    from economic_index.engines.anthropic.client import request_body
    from economic_index.engines.anthropic.exchange import Exchange
    from economic_index.engines.anthropic.money import PriceTable
    from economic_index.engines.anthropic.render import render
    from economic_index.labelling.compact import CompactFacets
    from economic_index.registry import read_registry

    rounds = CompactFacets(read_registry())
    bodies = []
    for i, (a, b) in enumerate(conversations(count, tokens)):
        rendered = render(
            rounds.request(Conversation(f"c{i}", (Message("user", a), Message("assistant", b))))
        )
        bodies.append(
            request_body(rendered, Exchange(rendered).first(), MODEL, PriceTable.read().get(MODEL), "5m")
        )

    async def run() -> int:
        gate, done = asyncio.Semaphore(CONCURRENCY), 0
        async with anthropic.AsyncAnthropic(http_client=anthropic.DefaultAioHttpClient()) as client:

            async def one(body: dict[str, Any]) -> None:
                nonlocal done
                async with gate:
                    try:
                        json.loads((await client.messages.create(**body)).content[0].text)  # type: ignore[union-attr]
                        done += 1
                    except (anthropic.APIError, ValueError, IndexError):
                        pass

            await asyncio.gather(*(one(body) for body in bodies))
        return done

    start, cpu = time.monotonic(), time.process_time()
    done = asyncio.run(run())
    return {
        "wall": time.monotonic() - start,
        "cpu": time.process_time() - cpu,
        "calls": len(bodies),
        "accounted": done,
        "completed": done,
    }


# --- the parent ---


def server(oracle: Path, faults: bool) -> tuple[subprocess.Popen[str], str]:
    """A fake server in its own process."""
    command = [
        sys.executable,
        "-m",
        "economic_index.testing.fake_messages",
        "--port",
        "0",
        "--latency",
        str(LATENCY),
    ]
    command += ["--oracle", str(oracle)]
    if faults:
        command += ["--mischief", "overloaded=0.01"]
        command += ["--mischief-at", f"bad_request={REFUSED}", "--mischief-at", f"truncated={MALFORMED}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["url"]


def stats(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/_fake/stats") as answer:
        return json.loads(answer.read())


def write_oracle(path: Path, count: int, tokens: int) -> None:
    """Truth for every conversation: a path in the hierarchy and labels of every facet."""
    space, small = paper_space(), paper_space(4, 10)
    with path.open("w") as file:
        for i, (first, _) in enumerate(conversations(count, tokens)):
            task = space.task_ids[i % len(space.task_ids)]
            texts = [small.texts[i % len(small.texts)], space.texts[i % len(space.task_ids)]]
            texts += [space.names[node] for node in space.path(task)]
            facets = {"occupational": "yes", "collaboration_pattern": "directive", "skill": ["writing"]}
            file.write(json.dumps({"first_message": first, "facets": facets, "texts": texts}) + "\n")


def child(arguments: list[str], url: str) -> dict[str, Any]:
    """Run one client and return its report."""
    environment = {
        **os.environ,
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "bench",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, __file__, "--child", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def measure(name: str, count: int, tokens: int, home: Path, oracle: Path) -> dict[str, Any]:
    """First run, re-run and a run with 10 % more against a calm server; then one against a faulty server."""
    process, url = server(oracle, False)
    try:
        row = child([name, str(count), str(tokens), str(home)], url)
        seen = stats(url)
        row["input"] = seen["input_tokens"]
        row["cached"] = seen["cache_read_tokens"]
        row["written"] = seen["cache_write_tokens"]
        row["output"] = seen["output_tokens"]
        if name != "bare":
            child([name, str(count), str(tokens), str(home)], url)
            after = stats(url)
            row["again"] = after["attempts"] - seen["attempts"]
            child([name, str(count + count // 10), str(tokens), str(home)], url)
            row["more"] = stats(url)["attempts"] - after["attempts"]
        else:
            row["again"], row["more"] = row["calls"], row["calls"] + row["calls"] // 10
    finally:
        process.terminate()
        process.wait()
    faulty = home / "faulty"
    faulty.mkdir(exist_ok=True)
    process, url = server(oracle, True)
    try:
        wild = child([name, str(count), str(tokens), str(faulty)], url)
        row["done_share"] = wild["completed"] / count
        row["accounted_share"] = wild["accounted"] / count
    finally:
        process.terminate()
        process.wait()
    return row


def measure_kura(python: str, count: int, tokens: int, home: Path) -> dict[str, Any]:
    """kura's summaries and base clusters: first run, re-run, 10 % more, and a run under the same faults."""
    side = str(Path(__file__).with_name("kura_side.py"))
    sources = {}
    for size in (count, count + count // 10):
        sources[size] = home / f"talks{size}.json"
        sources[size].write_text(json.dumps(conversations(size, tokens)))

    def go(url: str, size: int, store: Path) -> dict[str, Any]:
        environment = {
            **os.environ,
            "OPENAI_BASE_URL": f"{url}/v1",
            "OPENAI_API_KEY": "x",
            "OMP_NUM_THREADS": "1",
        }
        done = subprocess.run(
            [python, side, "run", str(sources[size]), str(store)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stderr[-2_000:])
        return json.loads(done.stdout.splitlines()[-1])

    def seen(url: str) -> dict[str, int]:
        with urllib.request.urlopen(f"{url}/stats") as answer:
            return {"attempts": 0, **json.loads(answer.read())}

    def start(*faults: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, side, "serve", *faults], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())["url"]

    process, url = start()
    try:
        row = go(url, count, home / "kura")
        first = seen(url)
        row |= {"calls": first["attempts"], "input": first.get("input", 0), "cached": 0, "output": 0}
        go(url, count, home / "kura")
        again = seen(url)
        row["again"] = again["attempts"] - first["attempts"]
        go(url, count + count // 10, home / "kura")
        row["more"] = seen(url)["attempts"] - again["attempts"]
    finally:
        process.terminate()
        process.wait()
    process, url = start("faulty")
    try:
        wild = go(url, count, home / "kura_faulty")
        row["done_share"] = row["accounted_share"] = wild["completed"] / count
    finally:
        process.terminate()
        process.wait()
    return row


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--conversations", type=int, default=500)
    parser.add_argument("--tokens", type=int, default=540)
    parser.add_argument("--kura-python", help="a Python in which kura 0.5.4 is installed")
    parser.add_argument("--only", nargs="*", default=["bare", "tree6", "tree", "compact", "shortlist"])
    parser.add_argument("--child", nargs="*")
    given = parser.parse_args()
    if given.child:
        name, count, tokens, *rest = given.child
        home = Path(rest[0])
        bare = name == "bare"
        made = (
            child_bare(int(count), int(tokens)) if bare else child_ours(name, int(count), int(tokens), home)
        )
        made["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(made))
        return
    count, tokens = given.conversations, given.tokens
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ["ECONOMIC_INDEX_WAREHOUSE"] = str(home)
        oracle = home / "oracle.jsonl"
        write_oracle(oracle, count + count // 10, tokens)
        rows = {name: measure(name, count, tokens, home, oracle) for name in given.only}
        if given.kura_python:
            rows["kura"] = measure_kura(given.kura_python, count, tokens, home)
    head = (
        "client",
        "calls/conv",
        "input/conv",
        "cached/conv",
        "billed/conv",
        "output/conv",
        "wall s",
        "CPU ms/call",
        "MB",
    )
    print(
        f"{count} conversations of about {tokens} tokens, {LATENCY * 1000:.0f} ms latency, "
        f"{CONCURRENCY} in flight, {MODEL}\n"
    )
    print("| " + " | ".join((*head, "calls again", "calls +10 %", "completed", "accounted")) + " |")
    print("|" + "---|" * 13)
    for name, row in rows.items():
        billed = (row["input"] + 0.1 * row["cached"] + 1.25 * row.get("written", 0)) / count
        cells = [
            name,
            f"{row['calls'] / count:.2f}",
            f"{row['input'] / count:,.0f}",
            f"{row['cached'] / count:,.0f}",
            f"{billed:,.0f}",
            f"{row['output'] / count:,.0f}",
            f"{row['wall']:.1f}",
            f"{1000 * row['cpu'] / max(1, row['calls']):.2f}",
            f"{row['rss']:.0f}",
            f"{row['again']:,}",
            f"{row['more']:,}",
            f"{row['done_share']:.1%}",
            f"{row['accounted_share']:.1%}",
        ]
        print("| " + " | ".join(cells) + " |")
    print(NOTES)


if __name__ == "__main__":
    main()
