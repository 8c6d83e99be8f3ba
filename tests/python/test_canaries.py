"""200 canaries through the whole way: planted in texts, ids, accounts, names of models and places, and in broken rows.

Import, dbt build on the embedded engine, docs, audit, publish, both exports, report: then every file that leaves the private
side and everything that was printed or logged is read, compressed pages decoded, and holds none of them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from wall_project import REPO
from whole_build import Build, light_project

from economic_index.disclosure.audit.scan import scan_files
from economic_index.sample.synthetic import canary_tokens

N_CONVERSATIONS = 1_400
PLACES = (
    "conversation_id", "account_id", "organization_id", "model", "product", "language", "country_code", "region_code",
    "user text", "assistant text", "role", "started_at", "unreadable line", "repeated id", "wrong type", "extra column",
)  # fmt: skip


#: Places of which import keeps every token on the private side.
KEPT = ("conversation_id", "model", "product", "user text", "repeated id")


@dataclass
class Way:
    """What the way left behind: folders and files that leave, and what was printed."""

    tokens: list[str]
    outside: list[Path] = field(default_factory=list)
    logged: list[Path] = field(default_factory=list)
    printed: dict[str, str] = field(default_factory=dict)
    planted: dict[str, int] = field(default_factory=dict)


def holders(path: Path, tokens: Iterable[str]) -> set[str]:
    """Tokens that are in a file, whatever the letter case: in its raw bytes, its name, or a decoded column of it."""
    chunks = [path.read_bytes(), path.name.encode(), *decoded(path)]
    lowered = [chunk.lower() for chunk in chunks]
    return {
        token
        for token in tokens
        if any(token.lower().encode(code) in chunk for chunk in lowered for code in ("utf-8", "utf-16-le"))
    }


def decoded(path: Path) -> Iterator[bytes]:
    """Every value of a Parquet or DuckDB file as text, with the names of tables and columns and all comments."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield str(table.schema.metadata).encode() + str(table.schema).encode()
        yield from (str(column.to_pylist()).encode() for column in table.columns)
    elif path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as connection:
            for query in (
                "from duckdb_tables()",
                "from duckdb_columns()",
                "from duckdb_views()",
                "from duckdb_functions()",
            ):
                yield str(connection.execute(f"select * {query} where not internal").fetchall()).encode()
            names = "select schema_name, table_name from duckdb_tables() where not internal"
            for schema, name in connection.execute(names).fetchall():
                yield str(connection.execute(f'select * from "{schema}"."{name}"').fetchall()).encode()


def files_below(folders: Iterable[Path]) -> list[Path]:
    return sorted(
        path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
    )


def conversations() -> list[dict[str, Any]]:
    table = pq.read_table(REPO / "sample" / "conversations.parquet").slice(0, N_CONVERSATIONS)
    rows: list[dict[str, Any]] = table.to_pylist()
    for number, row in enumerate(rows):
        # Countries of one size: so few conversations leave little to hide in, and one large country would be all of it.
        row["country_code"] = ("US", "DE", "FR", "BR")[number % 4]
        row["started_at"] = row["started_at"].isoformat() if row.get("started_at") else None
    return rows


def planted_lines(tokens: list[str], planted: dict[str, int]) -> list[str]:
    """The sample's first conversations as JSON lines, with one token after the other in one place after the other."""
    rows = conversations()
    lines: list[str] = []
    for number, token in enumerate(tokens):
        place = PLACES[number % len(PLACES)]
        planted[place] = planted.get(place, 0) + 1
        row = dict(rows[number])
        if place in ("user text", "assistant text"):
            role = place.split()[0]
            messages = [dict(message) for message in row["messages"]]
            for message in messages:
                if message["role"] == role:
                    message["content"] = f"{token}. {message['content']} Yours, {token}"
            row["messages"] = messages
        elif place == "role":
            row["messages"] = [{"role": token, "content": token}, *row["messages"]]
        elif place == "wrong type":
            row["input_tokens"], row["extended_thinking"] = token, token
        elif place == "extra column":
            row[token] = token
        elif place == "repeated id":
            row["conversation_id"] = token
            lines.append(json.dumps(row))
        elif place != "unreadable line":
            row[place] = token
        lines.append(json.dumps(row)[: 200 if place == "unreadable line" else None])
        if place == "unreadable line":
            lines[-1] = f'{{"conversation_id": "{token}", "messages": [{{"content": "{token}'
    return [*lines, *(json.dumps(row) for row in rows[len(tokens) :])]


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Way:
    folder = tmp_path_factory.mktemp("way")
    found = Way(canary_tokens(200))
    source = folder / "in" / "conversations.jsonl"
    source.parent.mkdir()
    source.write_text("\n".join(planted_lines(found.tokens, found.planted)) + "\n", encoding="utf-8")
    listed = folder / "in" / "canaries.txt"
    listed.write_text("\n".join(found.tokens) + "\n", encoding="utf-8")
    build = Build(light_project(folder), folder / "home")
    build.make_keys()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("DBT_", "ECONOMIC_INDEX_"))},
        "ECONOMIC_INDEX_WAREHOUSE": str(build.warehouse),
        "ECONOMIC_INDEX_PROJECT": str(build.project),
        "ECONOMIC_INDEX_RELEASES": str(folder / "releases"),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", "from economic_index.cli import main; main()"]

    def say(name: str, *arguments: str, codes: tuple[int, ...] = (0,)) -> None:
        done = subprocess.run(
            [*command, *arguments],
            cwd=build.project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in codes, done.stdout[-2000:] + done.stderr[-2000:]
        found.printed[name] = done.stdout + done.stderr

    canonical = build.warehouse / "conversations.parquet"
    say("import", "import", str(source), "--format", "canonical", "--output", str(canonical))
    build.environment = {"ECONOMIC_INDEX_CONVERSATIONS": str(canonical)}
    found.printed["dbt build"] = build.must("build", "--exclude", "resource_type:unit_test")
    found.printed["dbt docs"] = build.must("docs", "generate")
    say("audit", "audit", "--canaries", str(listed))
    say("publish", "publish", "--canaries", str(listed))
    for layout in ("aei-2025-02", "aei-long"):
        say(f"export {layout}", "export", "--layout", layout, "--output", str(folder / "export" / layout))
    say("report", "report")
    say("report as JSON", "report", "--json")
    shutil.copy(build.warehouse / "release.duckdb", folder / "release.duckdb")
    found.outside = [folder / "releases", folder / "export", build.home / "target"]
    found.outside.append(folder / "candidate")
    found.outside[-1].mkdir()
    shutil.move(folder / "release.duckdb", folder / "candidate" / "release.duckdb")
    found.logged = [build.home / "logs"]
    return found


def test_the_canaries_are_in_the_private_side(way: Way, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Else a clean scan says nothing: they went in at every place, and many are still in the private database."""
    assert len(set(way.tokens)) == 200
    assert set(way.planted) == set(PLACES) and min(way.planted.values()) >= 12
    private = way.outside[2].parent / "warehouse" / "private.duckdb"
    there = holders(private, way.tokens)
    kept = there | holders(private.parent / "conversations.parquet", way.tokens)
    # Import makes keys of accounts and drops what is no country or no number; what it keeps is there to be leaked.
    lost = {PLACES[number % len(PLACES)] for number, token in enumerate(way.tokens) if token not in kept}
    assert not lost & set(KEPT), sorted(lost & set(KEPT))
    assert len(kept) > 75


def test_nothing_that_leaves_holds_a_canary(way: Way) -> None:
    files = files_below(way.outside)
    kinds = {path.suffix for path in files}
    assert {".duckdb", ".parquet", ".csv", ".json", ".sql"} <= kinds and len(files) > 300
    found = {path.name: len(holders(path, way.tokens)) for path in files}
    assert {name: n for name, n in found.items() if n} == {}


def test_nothing_printed_or_logged_holds_a_canary(way: Way) -> None:
    assert all(len(text) > 20 for text in way.printed.values())
    tokens = [token.lower() for token in way.tokens]
    assert {
        name: n for name, text in way.printed.items() if (n := sum(t in text.lower() for t in tokens))
    } == {}
    logs = files_below(way.logged)
    assert sum(path.stat().st_size for path in logs) > 100_000
    assert {path.name: len(holders(path, way.tokens)) for path in logs} == {path.name: 0 for path in logs}


def compressed(folder: Path, token: str) -> list[Path]:
    """One token among many values, in files that compress it: no raw scan can see it."""
    table = pa.table(
        {"label": [f"{'abcdefgh' * 4}{i % 7}" for i in range(20_000)] + [f"note of {token}"] * 5_000}
    )
    pq.write_table(table, folder / "pages.parquet", compression="gzip", write_statistics=False)
    with duckdb.connect(str(folder / "blocks.duckdb")) as connection:
        connection.execute("pragma force_compression = 'fsst'")
        connection.register("given", table)
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.t as select label || ' ' || (range % 3) as label from given, range(2)"
        )
        connection.execute("checkpoint")
    return [folder / "pages.parquet", folder / "blocks.duckdb"]


def test_the_scanners_see_through_compression(tmp_path: Path) -> None:
    token = canary_tokens(1)[0]
    listed = tmp_path / "canaries.txt"
    listed.write_text(token + "\n", encoding="utf-8")
    (tmp_path / "files").mkdir()
    for path in compressed(tmp_path / "files", token):
        assert holders(path, [token]) == {token}, path.name
        assert scan_files(path, canaries=listed), path.name
        assert token.encode() not in path.read_bytes(), (
            f"{path.name}: a raw scan would do, this test says nothing"
        )


@pytest.mark.parametrize("kind", ["csv", "name", "parquet metadata", "comment", "column name"])
def test_the_scanners_see_planted_positives(kind: str, tmp_path: Path) -> None:
    token = canary_tokens(4)[3]
    listed = tmp_path / "canaries.txt"
    listed.write_text(token + "\n", encoding="utf-8")
    folder = tmp_path / "files"
    folder.mkdir()
    if kind == "csv":
        (folder / "a.csv").write_bytes(b"x" * 3_000_000 + token.encode() + b"\n")
    elif kind == "name":
        (folder / f"{token}.csv").write_text("x")
    elif kind == "parquet metadata":
        table = pa.table({"a": [1]}).replace_schema_metadata({"note": token})
        pq.write_table(table, folder / "a.parquet")
    else:
        with duckdb.connect(str(folder / "a.duckdb")) as connection:
            connection.execute("create schema marts")
            connection.execute(f'create table marts.t ("{token if kind == "column name" else "a"}" varchar)')
            if kind == "comment":
                connection.execute(f"comment on table marts.t is '{token}'")
    [path] = folder.iterdir()
    assert holders(path, [token]) == {token}
    assert scan_files(folder, canaries=listed)
