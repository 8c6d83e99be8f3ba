"""The wall, the marts and the audit on synthetic labelled conversations: seconds and memory, and how they grow.

    python benchmarks/bench_wall.py --conversations 100000 1000000

One row a size. Wall: from the start of the first node of models/wall to the end of the last (counting, closing, blocks,
rounding, the public door). Labels to marts: the same from the first node to the last mart. Both are wall clock of dbt's
nodes, dbt's start apart. Memory: the largest process so far. Audit: all attacks on the tables of the release, joint bounds
included; the last columns are withheld cells it bounded, and those known exactly, within less than 10, or proven present.
``--slowest N`` also prints the slowest nodes.

Taxonomy: what ECONOMIC_INDEX_TAXONOMY names, the sample by default.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from economic_index.disclosure.proof import COUNTS, build_synthetic, prove


def moments(result: dict[str, Any]) -> tuple[datetime, datetime]:
    """Start and end of a node."""
    timing = {step["name"]: step for step in result["timing"]}
    start, end = timing["compile"]["started_at"], timing["execute"]["completed_at"]
    return datetime.fromisoformat(start.replace("Z", "+00:00")), datetime.fromisoformat(
        end.replace("Z", "+00:00")
    )


def seconds_of(results: list[dict[str, Any]]) -> float:
    """From the start of the first node to the end of the last."""
    times = [moments(result) for result in results]
    return (max(end for _, end in times) - min(start for start, _ in times)).total_seconds()


def is_wall(result: dict[str, Any], nodes: dict[str, Any]) -> bool:
    node = nodes[result["unique_id"]]
    return bool(node["path"].startswith("wall/") or node["name"] == "wall_draws")


def measure(n: int, folder: Path, n_slowest: int) -> str:
    """One row of the table."""
    made = build_synthetic(n, folder)
    results = json.loads((folder / "target" / "run_results.json").read_text(encoding="utf-8"))["results"]
    nodes = json.loads((folder / "target" / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    done = [result for result in results if result["unique_id"] in nodes and result["timing"]]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    for result in sorted(done, key=lambda r: -r["execution_time"])[:n_slowest]:
        print(f"  {result['execution_time']:6.1f} s  {nodes[result['unique_id']]['name']}")
    proof = prove(made.candidate, made.private, made.folders, is_partial=True)
    row = [
        f"{n:,}",
        f"{seconds_of([result for result in done if is_wall(result, nodes)]):.1f}",
        f"{seconds_of(done):.1f}",
        f"{peak:.1f}",
        f"{proof.seconds['attack']:.1f}",
        *(f"{proof.attacked[name]:,}" for name in COUNTS),
    ]
    return "| " + " | ".join(row) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--conversations", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument(
        "--slowest", type=int, default=0, help="also print so many of the slowest nodes of each size"
    )
    given = parser.parse_args()
    print(
        "| conversations | wall s | labels to marts s | peak GB | audit s | withheld | exact | narrow | present |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for n in given.conversations:
        with tempfile.TemporaryDirectory() as folder:
            print(measure(n, Path(folder), given.slowest), flush=True)


if __name__ == "__main__":
    main()
