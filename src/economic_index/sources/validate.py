"""From whatever stands in a row to an admitted conversation or a reason: never an exception."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import orjson

from economic_index.sources.contract import (
    BOOLEAN_COLUMNS,
    INTEGER_COLUMNS,
    MAX_MESSAGE_BYTES,
    MAX_STARTED_AT,
    MAX_TEXT,
    MAX_TURNS,
    MIN_STARTED_AT,
    ROLES,
    Reason,
)

Turns = list[tuple[str, str]]

_PLAIN_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_PLAIN_PRODUCT = re.compile(r"[A-Za-z0-9 ._:/-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_REGION = re.compile(r"[A-Za-z]{2}-[A-Za-z0-9]{1,3}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TRUE = frozenset({"true", "t", "yes", "1"})
_FALSE = frozenset({"false", "f", "no", "0"})


class Rejected(Exception):
    """A row is quarantined for ``reason``: a verdict, not an error of the program."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


@dataclass(slots=True)
class Checked:
    """A row after validation. Quarantined: ``reason`` is set and ``messages`` is None.

    ``started_at`` is in microseconds since 1970, UTC, kept on a quarantined row when it can be read so that
    the row belongs to a window. ``account_id`` and ``organization_id`` are still as given: pseudonymise
    before storing.
    """

    reason: Reason | None = None
    conversation_id: str | None = None
    started_at: int | None = None
    account_id: str | None = None
    messages: Turns | None = None
    n_user_messages: int = 0
    n_characters: int = 0
    model: str | None = None
    product: str | None = None
    language: str | None = None
    country_code: str | None = None
    region_code: str | None = None
    organization_id: str | None = None
    extended_thinking: bool | None = None
    safety_flagged: bool | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


def check(values: Mapping[str, object], reason: Reason | None = None) -> Checked:
    """Validate one row of canonical columns; ``reason`` is what the file reader already knows to be wrong.

    The first rule that a row breaks names it. What can be read of a quarantined row without being text of the
    conversation (a plain id, the time, product and organisation) is kept in the result.
    """
    row = Checked(reason=reason or _reason_given(values.get("quarantine_reason")))
    try:
        row.conversation_id = conversation_id(values.get("conversation_id"))
    except Rejected as rejected:
        row.reason = row.reason or rejected.reason
    try:
        row.started_at = timestamp(values.get("started_at"))
    except Rejected as rejected:
        row.reason = row.reason or rejected.reason
    for name in ("product", "organization_id"):
        try:
            setattr(row, name, short_text(values.get(name)))
        except Rejected as rejected:
            # The messages are looked at first: their reason says more.
            if row.reason is None:
                row.reason = _messages_reason(values.get("messages")) or rejected.reason
    if row.reason is None:
        try:
            _check_rest(row, values)
        except Rejected as rejected:
            row.reason = rejected.reason
    if row.reason is not None:
        row.messages = None
        if row.conversation_id is not None and not _PLAIN_ID.fullmatch(row.conversation_id):
            row.conversation_id = None
        if row.product is not None and not _PLAIN_PRODUCT.fullmatch(row.product):
            row.product = None
    return row


def _check_rest(row: Checked, values: Mapping[str, object]) -> None:
    row.messages, row.n_user_messages, row.n_characters = messages(values.get("messages"))
    row.account_id = identifier(values.get("account_id"))
    row.model = short_text(values.get("model"))
    row.language = short_text(values.get("language"))
    row.country_code = _matching(_COUNTRY, short_text(values.get("country_code")))
    row.region_code = _matching(_REGION, short_text(values.get("region_code")))
    for name in BOOLEAN_COLUMNS:
        setattr(row, name, boolean(values.get(name)))
    for name in INTEGER_COLUMNS:
        setattr(row, name, whole_number(values.get(name)))


def _reason_given(value: object) -> Reason | None:
    if value is None or value == "" or _is_nan(value):
        return None
    try:
        return Reason(str(value))
    except ValueError:
        return Reason.QUARANTINED_AT_SOURCE


def _messages_reason(value: object) -> Reason | None:
    try:
        messages(value)
    except Rejected as rejected:
        return rejected.reason
    return None


def conversation_id(value: object) -> str:
    """A text of at most 200 characters without control characters; whole numbers become text.

    Raises:
        Rejected: ``missing_conversation_id`` or ``bad_conversation_id``.
    """
    if value is None or _is_nan(value):
        raise Rejected(Reason.MISSING_CONVERSATION_ID)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = _number_text(value)
    if not isinstance(value, str):
        raise Rejected(Reason.BAD_CONVERSATION_ID)
    text = value.strip()
    if not text:
        raise Rejected(Reason.MISSING_CONVERSATION_ID)
    if len(text) > MAX_TEXT or _CONTROL.search(text):
        raise Rejected(Reason.BAD_CONVERSATION_ID)
    return text


def timestamp(value: object) -> int:
    """Microseconds since 1970 in UTC. A time without zone is UTC; a date alone is its midnight.

    Numbers are not read: whether they count seconds or milliseconds would be a guess. An ``Epoch`` is one
    that is known.

    Raises:
        Rejected: ``missing_timestamp`` or ``bad_timestamp`` (also outside 1970 to 2100).
    """
    if value is None or _is_nan(value):
        raise Rejected(Reason.MISSING_TIMESTAMP)
    micros = value.micros if isinstance(value, Epoch) else _micros(value)
    if not MIN_STARTED_AT <= micros < MAX_STARTED_AT:
        raise Rejected(Reason.BAD_TIMESTAMP)
    return micros


@dataclass(frozen=True, slots=True)
class Epoch:
    """A point in time that a reader knows exactly, of any size (Arrow times reach beyond ``datetime``)."""

    micros: int


def _micros(value: object) -> int:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            raise Rejected(Reason.MISSING_TIMESTAMP)
        if text.endswith(" UTC"):
            text = f"{text[:-4]}+00:00"
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            raise Rejected(Reason.BAD_TIMESTAMP) from None
    if not isinstance(value, datetime):
        if not isinstance(value, date):
            raise Rejected(Reason.BAD_TIMESTAMP)
        value = datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    # Subtraction of aware times neither overflows nor leaves UTC, unlike astimezone at the years 1 and 9999.
    return (value - _EPOCH) // timedelta(microseconds=1)


def messages(value: object) -> tuple[Turns, int, int]:
    """(turns, user turns, characters). Items are objects with ``role`` and ``content``; JSON text is parsed.

    Lone surrogates and NUL become U+FFFD: they come from cut emoji and careless loggers, the rest of the
    conversation is sound, and no store keeps them.

    Raises:
        Rejected: the reasons from ``unreadable_json`` to ``no_user_message`` that concern messages.
    """
    if isinstance(value, str):
        if len(value) > 8 * MAX_MESSAGE_BYTES:
            raise Rejected(Reason.TOO_LARGE)
        if not value.strip():
            raise Rejected(Reason.NO_MESSAGES)
        value = parse_json(value)
    if value is None or _is_nan(value):
        raise Rejected(Reason.NO_MESSAGES)
    if not isinstance(value, list):
        raise Rejected(Reason.WRONG_TYPE)
    if not value:
        raise Rejected(Reason.NO_MESSAGES)
    if len(value) > MAX_TURNS:
        raise Rejected(Reason.TOO_LARGE)
    turns: Turns = []
    n_user = n_characters = 0
    has_user_text = False
    for item in value:
        role, content = _turn(item)
        n_characters += len(content)
        if role == "user":
            n_user += 1
            has_user_text = has_user_text or bool(content.strip())
        turns.append((role, content))
    if n_characters * 4 > MAX_MESSAGE_BYTES:
        size = sum(len(content.encode("utf-8")) for _, content in turns)
        if size > MAX_MESSAGE_BYTES:
            raise Rejected(Reason.TOO_LARGE)
    if not has_user_text:
        raise Rejected(Reason.NO_USER_MESSAGE)
    return turns, n_user, n_characters


def _turn(item: object) -> tuple[str, str]:
    # A tuple is a (role, content) pair from a Parquet column; nothing else makes tuples.
    if isinstance(item, tuple):
        role, content = item
    elif isinstance(item, dict):
        role, content = item.get("role"), item.get("content")
    else:
        raise Rejected(Reason.WRONG_TYPE)
    if not isinstance(role, str) or not isinstance(content, str):
        raise Rejected(Reason.WRONG_TYPE)
    if role not in ROLES:
        raise Rejected(Reason.UNKNOWN_ROLE)
    return role, storable(content)


def storable(text: str) -> str:
    """The text with lone surrogates and NUL characters replaced by U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _UNSTORABLE.sub("�", text)
    return text.replace("\0", "�") if "\0" in text else text


def parse_json(text: str | bytes) -> object:
    """Parse JSON, also with NaN and lone surrogates, of any depth and size.

    Raises:
        Rejected: ``unreadable_json``, or ``invalid_encoding`` when bytes are not UTF-8.
    """
    try:
        return orjson.loads(text)
    except ValueError:
        pass
    try:
        # The fast parser is strict; this one takes surrogates, NaN, large numbers and raw control characters.
        return json.loads(text.decode("utf-8") if isinstance(text, bytes) else text, strict=False)
    except UnicodeDecodeError:
        raise Rejected(Reason.INVALID_ENCODING) from None
    except (ValueError, RecursionError):
        raise Rejected(Reason.UNREADABLE_JSON) from None


def identifier(value: object) -> str | None:
    """An account id as given, or None when missing, null or blank; it is hashed before it is stored.

    Raises:
        Rejected: ``wrong_type``.
    """
    if value is None or _is_nan(value):
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number_text(value)
    if not isinstance(value, str):
        raise Rejected(Reason.WRONG_TYPE)
    return value.strip() or None


def short_text(value: object) -> str | None:
    """An attribute of at most 200 characters; blank is null. ``NA`` stays: it is Namibia.

    Raises:
        Rejected: ``wrong_type``.
    """
    text = identifier(value)
    if text is not None and len(text) > MAX_TEXT:
        raise Rejected(Reason.WRONG_TYPE)
    return storable(text) if text else None


def boolean(value: object) -> bool | None:
    """True, false or null; also 0, 1 and the usual words.

    A flag that cannot be read is never taken for false: it may be the one that keeps a conversation out.

    Raises:
        Rejected: ``wrong_type``.
    """
    if value is None or isinstance(value, bool):
        return value
    if _is_nan(value):
        return None
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if not word:
            return None
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise Rejected(Reason.WRONG_TYPE)


def whole_number(value: object) -> int | None:
    """A count from 0 to 2^63 - 1, or null.

    Raises:
        Rejected: ``wrong_type``.
    """
    if value is None or _is_nan(value):
        return None
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if len(text) > 22 or not re.fullmatch(r"[0-9]+(?:\.0*)?", text):
            raise Rejected(Reason.WRONG_TYPE)
        value = int(text.partition(".")[0])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise Rejected(Reason.WRONG_TYPE)
    return value


def _matching(pattern: re.Pattern[str], text: str | None) -> str | None:
    return text.upper() if text is not None and pattern.fullmatch(text) else None


def _number_text(value: int | float) -> str:
    """Spreadsheets and pandas turn ids into floats when one is missing: 17.0 is the id 17."""
    if isinstance(value, float):
        if not value.is_integer():
            return repr(value)
        value = int(value)
    return str(value) if abs(value) < 10**30 else f"{value:x}"


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
