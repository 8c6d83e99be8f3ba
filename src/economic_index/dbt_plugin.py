"""dbt-duckdb plugin: makes the warehouse folder and keeps every file dbt writes to its owner (mode 0600)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin


class Plugin(BasePlugin):
    """Runs before dbt opens the databases, so that they are created private rather than made private later."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Set the process umask and create the folder of the database files."""
        os.umask(0o077)
        if self.creds is None or self.creds.path == ":memory:":
            return
        for path in (self.creds.path, *(attached.path for attached in self.creds.attach or [])):
            Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
