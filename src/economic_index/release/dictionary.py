"""The data dictionary: what every table and column means, written from the YAML beside the models.

The YAML is the one place where a column is described; ``docs/data_dictionary.md`` is made from it and a test
holds that the two agree. Nothing is read from a database: the dictionary is the same on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from economic_index.errors import UserError

#: Headings: (title, one sentence, folders below the project root), in the order of a reader's interest.
SECTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Release tables", "What is published: schema marts of the release database.", ("models/marts",)),
    ("Public door", "The only tables above the wall that a mart may read.", ("models/wall/public_door",)),
    (
        "Reference",
        "Tasks, occupations and their hierarchy; nothing here comes from a conversation.",
        ("models/reference", "models/staging/onet", "models/staging/bls", "python_models/taxonomy"),
    ),
    ("Seeds", "Registries and reference files, as they are in the repository or installed.", ("seeds",)),
    (
        "Private side",
        "Derived from conversations; never leaves the private database.",
        ("models/staging/conversations", "models/facts", "models/wall", "python_models"),
    ),
)

_DOC = re.compile(r"\{\{\s*doc\(\s*['\"](\w+)['\"]\s*\)\s*\}\}")
_DOCS_BLOCK = re.compile(r"\{%\s*docs\s+(\w+)\s*%\}(.*?)\{%\s*enddocs\s*%\}", re.DOTALL)


@dataclass(frozen=True)
class Column:
    """A column of a table. ``data_type`` is empty where nothing fixes it; ``is_required``: never null."""

    name: str
    data_type: str
    description: str
    is_required: bool


@dataclass(frozen=True)
class Table:
    """A model or seed. ``grain`` is its first sentence, ``description`` the rest."""

    name: str
    folder: str
    grain: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]


def read_docs_blocks(root: Path) -> dict[str, str]:
    """Docs blocks (``{% docs name %}``) of all Markdown files below ``models/``, by name."""
    blocks: dict[str, str] = {}
    for path in sorted((root / "models").rglob("*.md")):
        for name, text in _DOCS_BLOCK.findall(path.read_text(encoding="utf-8")):
            blocks[name] = text.strip()
    return blocks


def _resolved(text: str, blocks: dict[str, str], where: str) -> str:
    def block(match: re.Match[str]) -> str:
        if match.group(1) not in blocks:
            raise UserError(
                f"{where} names the docs block {match.group(1)!r}, which no Markdown file in models/ has."
            )
        return blocks[match.group(1)]

    return " ".join(_DOC.sub(block, text).split())


def _key_of(node: dict[str, Any]) -> tuple[str, ...]:
    """Key columns: of the contract, of the test of a composite key, or the first unique column."""
    for constraint in node.get("constraints") or []:
        if constraint.get("type") == "primary_key":
            return tuple(constraint["columns"])
    for test in node.get("data_tests") or []:
        found = test.get("unique_combination") if isinstance(test, dict) else None
        if found and "config" not in found:
            return tuple(found["arguments"]["columns"])
    for column in node.get("columns") or []:
        for test in column.get("data_tests") or []:
            if isinstance(test, dict) and "unique" in test and "config" not in test["unique"]:
                return (str(column["name"]),)
    return ()


def _columns_of(node: dict[str, Any], blocks: dict[str, str]) -> Iterator[Column]:
    for column in node.get("columns") or []:
        name = str(column["name"])
        required = any(c.get("type") == "not_null" for c in column.get("constraints") or [])
        text = _resolved(str(column.get("description") or ""), blocks, f"The column {node['name']}.{name}")
        yield Column(name, str(column.get("data_type") or ""), text, required)


def _grain_and_rest(description: str) -> tuple[str, str]:
    """The first paragraph, or the first sentence of a description of one paragraph, and what follows."""
    first, *others = (" ".join(part.split()) for part in re.split(r"\n\s*\n", description.strip()))
    if not others and ". " in first:
        first, _, last = first.partition(". ")
        first, others = first + ".", [last]
    return first, " ".join(others)


def _tables_of(path: Path, root: Path, blocks: dict[str, str]) -> Iterator[Table]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"The file {path.relative_to(root)}{line} is not YAML; correct it.") from None
    types = {
        name: str(kind)
        for seed in document.get("seeds") or []
        for name, kind in ((seed.get("config") or {}).get("column_types") or {}).items()
    }
    for node in [*(document.get("models") or []), *(document.get("seeds") or [])]:
        grain, rest = _grain_and_rest(str(node.get("description") or ""))
        columns = tuple(
            replace(column, data_type=column.data_type or types.get(column.name, ""))
            for column in _columns_of(node, blocks)
        )
        folder = str(path.parent.relative_to(root))
        yield Table(str(node["name"]), folder, grain, rest, _key_of(node), columns)


def read_tables(root: Path) -> list[Table]:
    """All documented models and seeds of the project at ``root``, by folder and name.

    Raises:
        UserError: a file is not YAML, or a description names a docs block that does not exist.
    """
    blocks = read_docs_blocks(root)
    folders = ("models", "python_models", "seeds")
    paths = [path for folder in folders for path in sorted((root / folder).rglob("*.yml"))]
    # Installed taxonomies are the user's own files; the dictionary describes what is in the repository.
    paths = [path for path in paths if "installed" not in path.relative_to(root).parts]
    tables = [table for path in paths for table in _tables_of(path, root, blocks)]
    return sorted(tables, key=lambda table: (table.folder, table.name))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _rendered(table: Table) -> Iterator[str]:
    yield f"### {table.name}"
    yield ""
    yield table.grain
    if table.key:
        yield f"Key: {', '.join(f'`{column}`' for column in table.key)}."
    if table.description:
        yield ""
        yield re.sub(r"^Key: [^.]*\. ?", "", table.description) if table.key else table.description
    yield ""
    if table.columns:
        with_types = any(column.data_type for column in table.columns)
        yield "| column | type | meaning |" if with_types else "| column | meaning |"
        yield "| --- | --- | --- |" if with_types else "| --- | --- |"
        for column in table.columns:
            required = ", never null" if column.is_required else ""
            kind = f" {column.data_type}{required} |" if with_types else ""
            yield f"| `{column.name}` |{kind} {_cell(column.description)} |"
        yield ""


def render_dictionary(tables: list[Table]) -> str:
    """The dictionary as one Markdown page; every table stands in the first section whose folder holds it."""
    lines = [
        "# Data dictionary",
        "",
        "Made from the YAML beside the models by `economic-index dictionary`; change it there, not here.",
        "",
    ]
    left = list(tables)
    body: list[str] = []
    for title, sentence, folders in SECTIONS:
        here = [table for table in left if any(f"{table.folder}/".startswith(f"{f}/") for f in folders)]
        left = [table for table in left if table not in here]
        links = ", ".join(f"[{table.name}](#{table.name})" for table in here)
        lines.append(f"* [{title}](#{title.lower().replace(' ', '-')}): {links}")
        body += [f"## {title}", "", sentence, ""]
        for table in here:
            body += _rendered(table)
    return "\n".join([*lines, "", *body]).rstrip() + "\n"
