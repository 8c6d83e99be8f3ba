"""Data export of Claude.ai: ``conversations.json``, or the zip archive that holds it.

The file is one JSON array, read element by element. Text blocks of a message are joined; thinking, tool calls
and attached files are left out. Conversations that hold no message are quarantined as ``no_messages``.
"""

from __future__ import annotations

import codecs
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from economic_index.errors import UserError
from economic_index.sources.contract import Reason
from economic_index.sources.files import Progress, Record, kind_of, open_binary, readable
from economic_index.sources.formats.base import Format, text_of

_ROLES = {"human": "user", "assistant": "assistant"}
_CHUNK = 1 << 20
#: So close to the end of what was read, the parser cannot be believed yet.
_MARGIN = 16


def read(path: Path, progress: Progress | None = None) -> Iterator[Record]:
    """One record for every conversation of the export."""
    with readable(path), _opened(path) as (stream, position):
        for number, element in enumerate(_elements(path, stream)):
            if progress and number % 16 == 0:
                progress(position())
            if isinstance(element, dict):
                yield Record(_values(element))
            else:
                yield Record(reason=Reason.NOT_AN_OBJECT)


def _values(row: dict[str, object]) -> dict[str, object]:
    account = row.get("account")
    return {
        "conversation_id": row.get("uuid"),
        "account_id": account.get("uuid") if isinstance(account, dict) else None,
        "started_at": row.get("created_at"),
        "messages": _turns(row.get("chat_messages")),
        "model": row.get("model"),
        "product": "claude.ai",
    }


def _turns(items: object) -> object:
    if not isinstance(items, list):
        return items
    turns: list[object] = []
    for item in items:
        if not isinstance(item, dict):
            return items
        sender = item.get("sender")
        # Newer exports repeat tool calls as remarks in `text`; the blocks hold what was said.
        said = text_of(item.get("content")) if item.get("content") else None
        text = said if isinstance(said, str) and said.strip() else item.get("text", said)
        turns.append(
            {"role": _ROLES.get(sender, sender) if isinstance(sender, str) else sender, "content": text}
        )
    return turns


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    if kind_of(path) != "zip":
        with open_binary(path) as opened:
            yield opened
        return
    try:
        with path.open("rb") as raw, zipfile.ZipFile(raw) as archive:
            names = [name for name in archive.namelist() if name.rpartition("/")[2] == "conversations.json"]
            if len(names) != 1:
                raise UserError(
                    f"The archive {path} does not hold exactly one conversations.json; unpack it and name it."
                )
            with archive.open(names[0]) as stream:
                yield stream, raw.tell
    except zipfile.BadZipFile:
        raise UserError(f"The archive {path} is damaged; get it again.") from None


def _elements(path: Path, stream: IO[bytes] | BinaryIO) -> Iterator[object]:
    """Elements of a JSON array one by one; memory holds one element and a chunk.

    Raises:
        UserError: the file is not a JSON array, or breaks off inside it.
    """
    broken = UserError(f"The file {path} is not a complete JSON list of conversations; export it again.")
    decode = codecs.getincrementaldecoder("utf-8-sig")(errors="replace").decode
    decoder = json.JSONDecoder()
    buffer, place, ended, step = "", 0, False, _CHUNK

    def more() -> None:
        nonlocal buffer, place, ended
        chunk = stream.read(step)
        ended = not chunk
        buffer, place = buffer[place:] + decode(chunk, ended), 0

    def skip_space() -> str:
        nonlocal place
        while True:
            while place < len(buffer) and buffer[place] in " \t\r\n":
                place += 1
            if place < len(buffer):
                return buffer[place]
            if ended:
                return ""
            more()

    if skip_space() != "[":
        raise broken
    place += 1
    if skip_space() == "]":
        return
    while True:
        skip_space()
        try:
            element, end = decoder.raw_decode(buffer, place)
        except (json.JSONDecodeError, RecursionError) as error:
            if ended or not _is_cut(error, len(buffer)):
                raise broken from None
            # Twice as much each time, so that a long conversation is not parsed once per chunk.
            step *= 2
            more()
            continue
        if len(buffer) - end < _MARGIN and not ended:
            # A number may go on in the next chunk: 12 is also the start of 12.5.
            more()
            continue
        step, place = _CHUNK, end
        yield element
        following = skip_space()
        if following == "]":
            return
        if following != ",":
            raise broken
        place += 1


def _is_cut(error: Exception, length: int) -> bool:
    """Did the parser fail because the text ends, or because it is wrong?"""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.msg.startswith(("Unterminated", "Invalid \\")) or error.pos >= length - _MARGIN


CLAUDE_AI = Format(
    name="claude-ai",
    about="Claude.ai data export: conversations.json or its zip archive",
    kinds=("json", "zip"),
    read=read,
    times="always",
    has_accounts=True,
)
