"""What a compiled query reads, from the syntax tree of DuckDB's own parser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

#: Functions that reach outside the tables a query names: files, settings, secrets, other queries.
FORBIDDEN_FUNCTIONS = frozenset(
    {"getenv", "getvariable", "current_setting", "nextval", "currval", "query", "query_table", "which_secret"}
)
FORBIDDEN_PREFIXES = ("read_", "write_", "glob", "duckdb_", "pragma_")


def syntax_tree(sql: str) -> dict[str, Any]:
    """The tree of one or more SELECT statements.

    Raises:
        ValueError: the text is not SQL, or something else than a SELECT (attach, copy, pragma ...).
    """
    connection = duckdb.connect()
    try:
        row = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchone()
    finally:
        connection.close()
    assert row is not None
    tree = dict(json.loads(row[0]))
    if tree.get("error"):
        raise ValueError(str(tree.get("error_message")))
    return tree


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree, from the outside in."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def foreign_reads(sql: str, allowed: set[tuple[str, str, str]]) -> list[str]:
    """What ``sql`` reads beside the relations of ``allowed`` (database, schema, name) and its own CTEs.

    A table function counts as foreign whatever it is; so does a table without its database and schema, unless
    it is a CTE of the query: DuckDB would look for a file of that name.
    """
    try:
        tree = syntax_tree(sql)
    except ValueError:
        return ["not a single SELECT"]
    found = []
    nodes = list(walk(tree))
    ctes = {entry["key"].lower() for node in nodes for entry in (node.get("cte_map") or {}).get("map", [])}
    if len(tree.get("statements", [])) != 1:
        found.append("more than one statement")
    for node in nodes:
        kind = node.get("type")
        if kind == "BASE_TABLE":
            name = (node["catalog_name"].lower(), node["schema_name"].lower(), node["table_name"].lower())
            if name not in allowed and not (name[:2] == ("", "") and name[2] in ctes):
                found.append("table " + ".".join(part for part in name if part))
        elif kind in ("TABLE_FUNCTION", "SHOW_REF"):
            function = node.get("function") or {}
            found.append(f"table function {function.get('function_name', kind)}")
        elif kind == "FUNCTION":
            name_of = str(node.get("function_name", "")).lower()
            if name_of in FORBIDDEN_FUNCTIONS or name_of.startswith(FORBIDDEN_PREFIXES):
                found.append(f"function {name_of}")
    return found
