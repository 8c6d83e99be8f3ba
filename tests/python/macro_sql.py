"""Renders macros and models of the project for DuckDB without dbt: property tests run them by the hundred."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2

REPO = Path(__file__).resolve().parents[2]


class Project:
    """The macros of the project, with the few functions of dbt that they use.

    ``ref`` gives the plain name of a model: tests make tables of these names. ``return`` gives its argument,
    which is the same as dbt's as long as a macro returns text.
    """

    def __init__(self) -> None:
        environment = jinja2.Environment(extensions=["jinja2.ext.do"], undefined=jinja2.StrictUndefined)
        environment.globals.update(
            {
                "return": lambda value: value,
                "ref": lambda name: name,
                "var": lambda name, default=None: default,
                "env_var": lambda name, default="": default,
                "execute": True,
                "adapter": SimpleNamespace(dispatch=lambda name, package=None: self.macro(f"duckdb__{name}")),
                "dbt": SimpleNamespace(type_string=lambda: "varchar", type_numeric=lambda: "numeric(38, 0)"),
            }
        )
        self._environment = environment
        # One template holds all macros: like in dbt, each can call every other one.
        files = sorted((REPO / "macros").rglob("*.sql"))
        self._text = "\n".join(path.read_text(encoding="utf-8") for path in files)
        self._module = environment.from_string(self._text).module

    def macro(self, name: str) -> Callable[..., str]:
        """The macro ``name``; calling it gives SQL."""
        found: Callable[..., str] = getattr(self._module, name)
        return found

    def model(self, path: str) -> str:
        """The SQL of ``models/<path>``."""
        source = (REPO / "models" / path).read_text(encoding="utf-8")
        return self._environment.from_string(self._text + "\n" + source).render().strip()


@cache
def project() -> Project:
    """The macros, read once."""
    return Project()


def macro(name: str, *arguments: Any, **named: Any) -> str:
    """SQL of a macro of the project."""
    return str(project().macro(name)(*arguments, **named)).strip()
