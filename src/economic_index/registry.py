"""The facet registry: what is asked about every conversation (``seeds/reference/facets.csv``, ``facet_options.csv``)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from economic_index.engines.base import AnswerType, Field, Option
from economic_index.errors import UserError
from economic_index.paths import project_root

SCOPES = ("all", "occupational")


@dataclass(frozen=True)
class FacetOption:
    """One option of a facet; ``group`` rolls options up (``automation``, ``augmentation``)."""

    id: str
    label: str
    description: str
    group: str | None


@dataclass(frozen=True)
class Facet:
    """One question about a conversation. ``scope`` ``occupational``: asked only when the screen says yes."""

    name: str
    question: str
    answer_type: AnswerType
    scope: str
    options: tuple[FacetOption, ...]

    def as_field(self) -> Field:
        """The facet as a question of a request, options in registry order."""
        options = tuple(Option(o.id, o.label, o.description) for o in self.options)
        return Field(self.name, self.question, self.answer_type, options)


def build_registry(
    facets: Iterable[Mapping[str, Any]], options: Iterable[Mapping[str, Any]]
) -> dict[str, Facet]:
    """Facets by name, in the order of the file, options in order of ``position``.

    Raises:
        UserError: an unknown answer type or scope, a repeated name, an option of no facet, a choice without two options.
    """
    by_facet: dict[str, list[tuple[int, FacetOption]]] = {}
    for row in options:
        option = FacetOption(
            str(row["option_id"]),
            str(row["label"]),
            str(row.get("description") or ""),
            str(row["option_group"]) if row.get("option_group") else None,
        )
        by_facet.setdefault(str(row["facet"]), []).append((int(row["position"]), option))
    registry: dict[str, Facet] = {}
    for row in facets:
        name, answer_type, scope = str(row["facet"]), str(row["answer_type"]), str(row["scope"])
        if name in registry:
            raise UserError(f"The facet {name!r} stands twice in facets.csv; keep one row.")
        if answer_type not in get_args(AnswerType):
            raise UserError(
                f"The facet {name!r} in facets.csv has the answer type {answer_type!r}; use one of "
                f"{', '.join(get_args(AnswerType))}."
            )
        if scope not in SCOPES:
            raise UserError(
                f"The facet {name!r} in facets.csv has the scope {scope!r}; use one of {', '.join(SCOPES)}."
            )
        chosen = tuple(option for _, option in sorted(by_facet.pop(name, []), key=lambda pair: pair[0]))
        ids = [option.id for option in chosen]
        if len(set(ids)) != len(ids):
            raise UserError(
                f"The facet {name!r} has an option id twice in facet_options.csv; option ids are unique."
            )
        if answer_type != "number" and name != "task" and len(chosen) < 2:
            raise UserError(
                f"The facet {name!r} has fewer than two options in facet_options.csv; add its options."
            )
        registry[name] = Facet(name, str(row["question"]), cast(AnswerType, answer_type), scope, chosen)
    if by_facet:
        raise UserError(
            f"facet_options.csv names the facet {sorted(by_facet)[0]!r}, which facets.csv does not have."
        )
    return registry


def read_registry(folder: Path | None = None) -> dict[str, Facet]:
    """The registry as it stands in the seed files (``seeds/reference`` of the project by default)."""
    folder = folder or project_root() / "seeds" / "reference"
    rows = []
    for name in ("facets.csv", "facet_options.csv"):
        path = folder / name
        if not path.is_file():
            raise UserError(f"The facet registry {path} is missing; restore it from the project.")
        with path.open(encoding="utf-8", newline="") as file:
            rows.append(list(csv.DictReader(file)))
    return build_registry(rows[0], rows[1])
