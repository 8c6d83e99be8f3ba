"""``economic-index build``: the whole job: import, dbt build, audit, publish, summary."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

SAMPLE = "sample/conversations.parquet"


def _run(step: str, command: list[str], environment: dict[str, str], folder: Path) -> None:
    """Run one step with its output passed through; its exit code ends the build."""
    print(f"\n== {step}", file=sys.stderr, flush=True)
    code = subprocess.run(command, cwd=folder, env=environment, check=False).returncode
    if code:
        print(
            f"Error: the step '{step}' ended with exit code {code}; what it says above is the reason.",
            file=sys.stderr,
        )
        raise typer.Exit(code)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""

    @app.command()
    def build(
        conversations: Annotated[
            str | None,
            typer.Option(
                help="Canonical file or glob; ECONOMIC_INDEX_CONVERSATIONS or the sample by default."
            ),
        ] = None,
        publish: Annotated[bool, typer.Option(help="Audit and publish after the build.")] = True,
    ) -> None:
        """Import the sample (or read your conversations), run dbt build, audit, publish and summarise."""
        from economic_index.paths import project_root, warehouse

        root = project_root()
        binaries = Path(sys.executable).parent
        command = str(binaries / "economic-index")
        environment = dict(os.environ)
        given = conversations or environment.get("ECONOMIC_INDEX_CONVERSATIONS")
        if not given:
            given = str(warehouse() / "sample_conversations.parquet")
            step = [command, "import", str(root / SAMPLE), "--format", "parquet", "--output", given]
            _run("import the sample conversations", step, environment, root)
        environment["ECONOMIC_INDEX_CONVERSATIONS"] = given
        _run("dbt build", [str(binaries / "dbt"), "build"], environment, root)
        if publish:
            _run("audit and publish", [command, "publish"], environment, root)
            print("", file=sys.stderr)
            _run("summary", [command, "report"], environment, root)
