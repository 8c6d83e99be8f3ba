"""Keyed unbiased rounding of block counts (docs/privacy.md, cell-key idea of the ESSnet handbook)."""

from __future__ import annotations

import pyarrow as pa

from economic_index.keys import keyed_digest, load_key

DRAW_SCHEMA = pa.schema([("block_id", pa.string()), ("n_rounded", pa.int64())])


def round_count(n: int, base: int, record_digest: str, key: bytes) -> int:
    """Round ``n`` to a multiple of ``base``, up with probability (n mod base) / base.

    The draw is a function of the key, the base and the digest of the records: the same records give the same value in
    every table and every run, any other set of records a new draw. The expectation over keys is ``n``.

    Args:
        n: a count, at least 0.
        base: at least 1; 1 leaves the count as it is.
        record_digest: order-free digest of the records counted (32 hex digits).
        key: the rounding key.
    """
    remainder = n % base
    if remainder == 0:
        return n
    draw = int.from_bytes(keyed_digest(key, "round", str(base), record_digest)[:8], "big")
    return n - remainder + (base if draw * base < remainder << 64 else 0)


def round_blocks(wanted: pa.Table) -> pa.Table:
    """Round every row of (block_id, n, record_digest, rounding_base); returns ``DRAW_SCHEMA``, ordered by block_id."""
    key = load_key("rounding")
    columns = [
        wanted.column(name).to_pylist() for name in ("block_id", "n", "record_digest", "rounding_base")
    ]
    rows = sorted(
        (block, round_count(int(n), int(base), digest, key))
        for block, n, digest, base in zip(*columns, strict=True)
    )
    return pa.table({"block_id": [b for b, _ in rows], "n_rounded": [n for _, n in rows]}, schema=DRAW_SCHEMA)
