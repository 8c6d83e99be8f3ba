"""Tests marked ``proof`` run where ``ECONOMIC_INDEX_PROOFS`` is ``all``: in CI, and wherever somebody has the time."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the proofs at full size, with the reason, unless they are asked for."""
    if os.environ.get("ECONOMIC_INDEX_PROOFS") == "all":
        return
    skip = pytest.mark.skip(reason="a proof at full size: ECONOMIC_INDEX_PROOFS=all runs it, and CI does")
    for item in items:
        if item.get_closest_marker("proof"):
            item.add_marker(skip)
