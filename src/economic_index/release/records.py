"""What stands behind a published release, kept on the private side for corrections.

At publication every conversation that is counted is written to ``warehouse/published/<release_id>.parquet`` (mode 0600): the
digest of its id, the digest of its account and the blocks it is counted in; no text, no time, no label by name. The
next build of the same window compares (``wall_correction_moves``): a correction may change a cell only by groups that
are safe blocks themselves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from economic_index.errors import UserError
from economic_index.paths import releases, warehouse
from economic_index.release.ledger import Window, read_ledger

RECORDS_VIEW = "wall.wall_leaf_records"
BLOCKS_KEY = b"economic_index.blocks"
RECORDS_SCHEMA = pa.schema(
    [
        ("previous_release_id", pa.string()),
        ("side", pa.string()),
        ("block_id", pa.string()),
        ("account", pa.uint64()),
        ("record", pa.uint64()),
    ]
)
_KEPT = pa.schema(
    [("record", pa.uint64()), ("account", pa.uint64()), ("blocks", pa.list_(pa.field("element", pa.int32())))]
)


def records_folder() -> Path:
    """``warehouse/published``; made with mode 0700."""
    folder = warehouse() / "published"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def keep_records(private: Path, release_id: str, folder: Path) -> Path | None:
    """Write who is counted in which block of the present build; the file appears whole or not at all.

    Args:
        private: private database of the build that is published.
        release_id: of the release.
        folder: where the files lie.

    Returns:
        the file; ``None`` where the private database or its view of records is missing. Corrections of the release are
        then refused.
    """
    if not private.is_file():
        return None
    connection = duckdb.connect()
    try:
        quoted = str(private).replace("'", "''")
        connection.execute(f"attach '{quoted}' as private (read_only)")
        connection.execute(
            "create temp table numbered as select block_id, cast(row_number() over (order by block_id) - "
            "1 as integer) as number from private.wall.wall_blocks"
        )
        blocks = [
            str(block)
            for (block,) in connection.execute("select block_id from numbered order by number").fetchall()
        ]
        rows = connection.execute(
            f"""
            select record, account, list(number order by number) as blocks
            from (
                select records.record, records.account, numbered.number
                from private.{RECORDS_VIEW} as records
                inner join numbered on records.block_id = numbered.block_id
            )
            group by record, account order by record, account
            """
        ).to_arrow_table()
    except duckdb.CatalogException:
        return None
    finally:
        connection.close()
    return _write(folder / f"{release_id}.parquet", rows.cast(_KEPT), blocks)


def side_of(block_id: str) -> str:
    """The partition that a block is of, as ``wall_leaf_records`` names it."""
    parts = block_id.split("|")
    if parts[0] == "multi_label":
        return block_id
    return "|".join(parts[:2]) if parts[0] in ("composition", "facet", "rest", "last_rest") else parts[0]


def present_records(earlier: Any, view: Any) -> Any:
    """Records of the present build where there are earlier ones to compare with, else an empty table.

    Args:
        earlier: DuckDB relation of ``published_records``.
        view: DuckDB relation of ``wall_leaf_records``; not evaluated unless it is needed.
    """
    if earlier.limit(1).fetchone() is None:
        return pa.schema(
            [field for field in RECORDS_SCHEMA if field.name != "previous_release_id"]
        ).empty_table()
    return view


def _write(path: Path, rows: pa.Table, blocks: Iterable[str]) -> Path:
    listed = json.dumps(list(blocks))
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        pq.write_table(
            rows.replace_schema_metadata({BLOCKS_KEY: listed.encode()}),
            file,
            compression="zstd",
            use_dictionary=["blocks.list.element"],
        )
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return path


def _read(path: Path) -> tuple[pa.Table, list[str]]:
    try:
        rows = pq.read_table(path)
        blocks = [str(block) for block in json.loads(rows.schema.metadata[BLOCKS_KEY])]
        return rows.cast(_KEPT), blocks
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"The kept records {path} cannot be read; restore the file from its backup, or move it away: "
            "corrections of that release are then refused."
        ) from error


def read_records(path: Path) -> pa.Table:
    """Kept records of a release, one row per block and conversation (``RECORDS_SCHEMA``).

    Raises:
        UserError: the file cannot be read.
    """
    rows, blocks = _read(path)
    lists = rows["blocks"].combine_chunks()
    parents, numbers = pc.list_parent_indices(lists), pc.list_flatten(lists)
    return pa.table(
        {
            "previous_release_id": pa.array([path.stem] * len(numbers), pa.string()),
            "side": pa.array([side_of(block) for block in blocks], pa.string()).take(numbers),
            "block_id": pa.array(blocks, pa.string()).take(numbers),
            "account": rows["account"].take(parents),
            "record": rows["record"].take(parents),
        },
        schema=RECORDS_SCHEMA,
    )


def earlier_records(run: pa.Table, folder: Path | None = None, into: Path | None = None) -> pa.Table:
    """Kept records of the last publication of the window of a build; empty where there is none.

    Args:
        run: one row with release_id, window_start, window_end and population.
        folder: of kept records; ``warehouse/published`` by default.
        into: folder of releases with their ledger.
    """
    empty = RECORDS_SCHEMA.empty_table()
    folder, into = folder or warehouse() / "published", into or releases()
    if not folder.is_dir() or not run.num_rows:
        return empty
    row = run.slice(0, 1).to_pylist()[0]
    window = Window(str(row["window_start"]), str(row["window_end"]), str(row["population"]))
    published = [
        entry.release_id
        for entry in read_ledger(into)
        if Window(entry.window_start, entry.window_end, entry.population) == window
    ]
    if not published or published[-1] == row["release_id"]:
        return empty
    path = folder / f"{published[-1]}.parquet"
    return read_records(path) if path.is_file() else empty


def erase_account(account_key: str, folder: Path | None = None) -> int:
    """Take the conversations of an account out of every kept file; returns how many there were.

    The published releases stay as they are (an erasure never rewrites one); a later correction that would show the
    account's absence is refused.

    Args:
        account_key: the pseudonym as it stands in the input, or the organisation's where that is the privacy unit.
    """
    folder = folder or records_folder()
    digest = duckdb.sql("select md5_number_lower($key)", params={"key": account_key}).fetchone()
    account = pa.scalar(int(digest[0]) if digest else 0, pa.uint64())
    erased = 0
    for path in sorted(folder.glob("*.parquet")):
        rows, blocks = _read(path)
        kept = rows.filter(pc.not_equal(rows["account"], account))
        if kept.num_rows < rows.num_rows:
            erased += rows.num_rows - kept.num_rows
            _write(path, kept, blocks)
    return erased
