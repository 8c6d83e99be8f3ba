"""What the plugin sets on dbt's connection."""

from __future__ import annotations

import os
import re

import duckdb
import pytest

from economic_index.dbt_plugin import VARIABLE, Plugin, memory_limit
from economic_index.errors import UserError


def test_memory_is_bounded_by_the_machine_or_by_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = re.fullmatch(r"(\d+)MiB", memory_limit())
    assert found is not None and 0.35 * total < int(found[1]) * 2**20 < 0.45 * total
    monkeypatch.setenv(VARIABLE, "1GiB")
    with duckdb.connect() as connection:
        Plugin.configure_connection(object.__new__(Plugin), connection)
        assert connection.execute("select current_setting('memory_limit')").fetchall() == [("1.0 GiB",)]


@pytest.mark.parametrize("wrong", ["lots", "8", "'; drop table x; --", "80%"])
def test_a_limit_that_is_no_size_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, wrong)
    with pytest.raises(UserError, match="write it like 8GB"):
        memory_limit()
