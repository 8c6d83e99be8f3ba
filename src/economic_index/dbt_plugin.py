"""dbt-duckdb plugin: makes the warehouse folder, keeps every file dbt writes to its owner (mode 0600), and bounds memory."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError

from economic_index.errors import UserError

VARIABLE = "ECONOMIC_INDEX_MEMORY_LIMIT"
#: DuckDB's own default is four fifths of the machine, which Python beside it does not leave.
SHARE_OF_MEMORY = 0.4


class Plugin(BasePlugin):
    """Runs before dbt opens the databases, so that they are created private rather than made private later."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Set the process umask and create the folder of the database files."""
        os.umask(0o077)
        if self.creds is None or self.creds.path == ":memory:":
            return
        for path in (self.creds.path, *(attached.path for attached in self.creds.attach or [])):
            Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def configure_connection(self, conn: Any) -> None:
        """Bound what DuckDB takes; what is more goes to a folder beside the private database, while it runs."""
        try:
            limit = memory_limit()
        except UserError as error:
            raise DbtRuntimeError(str(error)) from None
        conn.execute(f"set memory_limit = '{limit}'")


def memory_limit() -> str:
    """``ECONOMIC_INDEX_MEMORY_LIMIT`` (like ``8GB``), or two fifths of the machine's memory.

    Raises:
        UserError: the variable is not a size.
    """
    given = os.environ.get(VARIABLE, "").strip()
    if given:
        if not re.fullmatch(r"\d+(\.\d+)?\s*([KMGT]i?B)", given):
            raise UserError(f"The variable {VARIABLE} is not a size; write it like 8GB.")
        return given
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{max(1, int(total * SHARE_OF_MEMORY / 2**20))}MiB"
