"""SQL from labels to marts on synthetic labelled conversations, beside a bare scan and the same roll-ups in data frames.

    python benchmarks/bench_sql.py --conversations 100000 1000000

Prints one row a size: seconds of dbt's nodes (dbt's start apart), peak memory of the dbt process, and ratios to

* a bare DuckDB scan of the columns that the wall reads;
* the roll-ups alone (conversations and accounts by task and pattern, the 15/5 rule, the split over occupations and SOC
  groups), written in pandas and in polars over frames that are already in memory. They have no residuals, no
  dominance rule, no rounding and one family instead of nine: the ratio says what the wall costs, not who is faster.

Taxonomy: what ECONOMIC_INDEX_TAXONOMY names, the sample by default.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import duckdb
import polars as pl
from synthetic import write_facts

ROOT = Path(__file__).resolve().parent.parent
DBT = str(Path(sys.executable).parent / "dbt")
# By path: an exposure has the name of one of these models, and everything stands above it.
REFERENCE = ["+path:models/reference"]
SELECTED = [
    "path:models/wall",
    "path:models/marts",
    "path:python_models/corrections",
    "wall_draws",
    "wall_run",
]
# What rests on conversations, readers or other releases, which synthetic facts do not have.
WITHOUT = (
    "reconstruction_scores",
    "validation_readings",
    "design_effect_classes",
    "run_usage",
    "earlier_release_values",
)
EXCLUDED = [f"{name}+" for name in WITHOUT]
SCAN = """
select bit_xor(hash(account_key, outcome, task_id, collaboration_pattern, model, is_extended_thinking, country_code))
from facts.fct_conversations
union all
select bit_xor(hash(input_row, facet, option_id)) from facts.fct_conversation_labels
"""


def peak_of(process: subprocess.Popen[str]) -> list[float]:
    """Watch a process; the list's last entry is its peak resident memory in GB."""
    peaks = [0.0]

    def watch() -> None:
        while process.poll() is None:
            try:
                text = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return
            found = re.search(r"VmHWM:\s+(\d+) kB", text)
            if found:
                peaks.append(int(found[1]) / 1e6)
            time.sleep(0.2)

    threading.Thread(target=watch, daemon=True).start()
    return peaks


def dbt(arguments: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Run dbt; returns (seconds of the nodes, seconds in all, peak GB).

    Raises:
        SystemExit: dbt failed; its output is printed.
    """
    begun = time.perf_counter()
    process = subprocess.Popen(
        [DBT, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    peaks = peak_of(process)
    output, _ = process.communicate()
    if process.returncode:
        sys.exit(output[-4000:])
    found = re.search(r"\(([\d.]+)s\)\.", output)
    return float(found[1]) if found else float("nan"), time.perf_counter() - begun, max(peaks)


def timed(function: object, *arguments: object) -> float:
    """Best of three runs, in seconds."""
    best = float("inf")
    for _ in range(3):
        begun = time.perf_counter()
        function(*arguments)  # type: ignore[operator]
        best = min(best, time.perf_counter() - begun)
    return best


def pandas_rollups(facts: object, holders: object) -> None:
    """The roll-ups of the paper in pandas."""
    rows = facts[facts["outcome"] == "classified"]  # type: ignore[index]
    cells = rows.groupby(["task_id", "collaboration_pattern"])["account_key"].agg(["size", "nunique"])
    cells[(cells["size"] >= 15) & (cells["nunique"] >= 5)]
    tasks = rows.groupby("task_id")["account_key"].agg(["size", "nunique"])
    tasks = tasks[(tasks["size"] >= 15) & (tasks["nunique"] >= 5)].reset_index()
    joined = tasks.merge(holders, on="task_id")
    joined["part"] = joined["size"] / joined["n_holders"]
    joined.groupby("onet_soc_code")["part"].sum()
    joined.groupby("soc_major_code")["part"].sum()


def polars_rollups(facts: pl.DataFrame, holders: pl.DataFrame) -> None:
    """The same in polars."""
    rows = facts.lazy().filter(pl.col("outcome") == "classified")
    counts = [pl.len().alias("n"), pl.col("account_key").n_unique().alias("a")]
    keep = (pl.col("n") >= 15) & (pl.col("a") >= 5)
    rows.group_by("task_id", "collaboration_pattern").agg(counts).filter(keep).collect()
    tasks = rows.group_by("task_id").agg(counts).filter(keep)
    joined = tasks.join(holders.lazy(), on="task_id").with_columns(
        (pl.col("n") / pl.col("n_holders")).alias("part")
    )
    joined.group_by("onet_soc_code").agg(pl.col("part").sum()).collect()
    joined.group_by("soc_major_code").agg(pl.col("part").sum()).collect()


def measure(n: int, folder: Path) -> list[str]:
    """One row of the table."""
    warehouse = folder / "warehouse"
    environment = {
        **os.environ,
        "ECONOMIC_INDEX_WAREHOUSE": str(warehouse),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    database = warehouse / "private.duckdb"
    if not database.exists():
        dbt(
            [
                "build",
                "-s",
                *REFERENCE,
                "path:seeds",
                "--exclude",
                "resource_type:test",
                "resource_type:unit_test",
            ],
            environment,
        )
    write_facts(database, n)
    nodes, _, peak = dbt(["run", "-s", *SELECTED, "--exclude", *EXCLUDED], environment)
    with duckdb.connect(str(database), read_only=True) as connection:
        scan = timed(lambda: connection.execute(SCAN).fetchall())
        query = "select account_key, outcome, task_id, collaboration_pattern from facts.fct_conversations"
        holders = "select task_id, onet_soc_code, soc_major_code, n_holders from reference.task_occupations"
        pandas = timed(pandas_rollups, connection.execute(query).df(), connection.execute(holders).df())
        frames = [pl.from_arrow(connection.execute(q).to_arrow_table()) for q in (query, holders)]
        polars = timed(polars_rollups, *frames)
    return [
        f"{n:,}",
        f"{nodes:.1f}",
        f"{peak:.1f}",
        f"{nodes / scan:.0f}",
        f"{nodes / pandas:.1f}",
        f"{nodes / polars:.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--conversations", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument(
        "--folder",
        type=Path,
        help="work here and leave it, so that the reference tables are built once; a temporary folder by default",
    )
    given = parser.parse_args()
    print("| conversations | seconds | peak GB | x bare scan | x pandas roll-ups | x polars roll-ups |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for n in given.conversations:
            print("| " + " | ".join(measure(n, given.folder or Path(temporary))) + " |", flush=True)


if __name__ == "__main__":
    main()
