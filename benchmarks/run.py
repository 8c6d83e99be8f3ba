"""All benchmarks, one after the other, as tables: what ``make bench`` calls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
#: Script and arguments; each prints its own table and says in its docstring what it measures.
BENCHMARKS = (
    ("bench_sql.py", ["--conversations", "100000", "1000000"]),
    ("bench_wall.py", ["--conversations", "100000", "1000000"]),
    ("mass_lost.py", ["--conversations", "1000000"]),
    ("bench_labelling.py", []),
    ("bench_engine.py", []),
    ("bench_candidates.py", []),
    ("bench_dp.py", []),
)


def main() -> None:
    failed = []
    for name, arguments in BENCHMARKS:
        print(f"\n## {name} {' '.join(arguments)}", flush=True)
        if subprocess.run([sys.executable, str(HERE / name), *arguments], check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"These benchmarks failed: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
