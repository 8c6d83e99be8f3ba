"""WildChat and LMSYS-Chat-1M, in the Parquet schemas they were published with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from economic_index.sources.files import Progress, Record, read_parquet
from economic_index.sources.formats.base import Format, first, renamed_turns
from economic_index.sources.formats.countries import country_code

_WILDCHAT_COLUMNS = (
    "conversation_hash",
    "model",
    "timestamp",
    "conversation",
    "language",
    "openai_moderation",
    "toxic",
    "country",
    "hashed_ip",
)
_LMSYS_COLUMNS = ("conversation_id", "model", "conversation", "language", "openai_moderation")


def read_wildchat(path: Path, progress: Progress | None = None) -> Iterator[Record]:
    """One record a row. The account is the hashed address, of the row or else of its first turn that has one.

    The corpus dates a row by its last turn; the first turn with a time is nearer to the start.
    """
    for record in read_parquet(path, _WILDCHAT_COLUMNS, progress):
        row = record.values
        turns = row.get("conversation")
        yield Record(
            {
                "conversation_id": row.get("conversation_hash"),
                "account_id": first([row.get("hashed_ip"), *_of_turns(turns, "hashed_ip")]),
                "started_at": first([*_of_turns(turns, "timestamp"), row.get("timestamp")]),
                "messages": renamed_turns(turns, {}),
                "model": row.get("model"),
                "language": row.get("language"),
                "country_code": country_code(first([row.get("country"), *_of_turns(turns, "country")])),
                "safety_flagged": _flagged(row.get("openai_moderation"), row.get("toxic")),
            },
            record.reason,
        )


def read_lmsys(path: Path, progress: Progress | None = None) -> Iterator[Record]:
    """One record a row; the corpus has neither accounts nor times."""
    for record in read_parquet(path, _LMSYS_COLUMNS, progress):
        row = record.values
        yield Record(
            {
                "conversation_id": row.get("conversation_id"),
                "messages": renamed_turns(row.get("conversation"), {}),
                "model": row.get("model"),
                "language": row.get("language"),
                "safety_flagged": _flagged(row.get("openai_moderation"), None),
            },
            record.reason,
        )


def _of_turns(turns: object, key: str) -> Iterator[object]:
    if isinstance(turns, list):
        for turn in turns:
            if isinstance(turn, dict):
                yield turn.get(key)


def _flagged(moderation: object, toxic: object) -> object:
    """True when any turn was flagged; null when the source says nothing."""
    items = moderation if isinstance(moderation, list) else []
    flags = [item.get("flagged") for item in items if isinstance(item, dict)]
    known = [flag for flag in [*flags, toxic] if flag is not None]
    return any(known) if known else None


WILDCHAT = Format(
    name="wildchat",
    about="WildChat Parquet (WildChat-1M and its siblings)",
    kinds=("parquet",),
    read=read_wildchat,
    times="always",
    has_accounts=True,
    required=("conversation_hash", "conversation"),
)

LMSYS = Format(
    name="lmsys",
    about="LMSYS-Chat-1M Parquet",
    kinds=("parquet",),
    read=read_lmsys,
    times="never",
    has_accounts=False,
    required=("conversation_id", "conversation"),
)
