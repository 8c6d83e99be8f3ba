"""The input contract: what one conversation looks like, what is too much, and why a row is set aside.

Everything that reads or writes conversations takes its columns, limits and reason codes from here
(DESIGN section 4; ``docs/input.md`` is the same page for people).
"""

from __future__ import annotations

from enum import StrEnum

import pyarrow as pa

ROLES = ("user", "assistant")

#: Text of all messages of one conversation, in bytes of UTF-8. Longer ones are pasted files, not
#: conversations.
MAX_MESSAGE_BYTES = 1_000_000
#: Turns of one conversation.
MAX_TURNS = 2_000
#: One line of JSONL or one field of CSV, in bytes; what is longer is skipped without being held in memory.
MAX_ROW_BYTES = 16_000_000
#: Characters of a conversation id, and of a model, product or language.
MAX_TEXT = 200
#: Half-open range of ``started_at`` in microseconds since 1970, UTC: 1970-01-01 to 2100-01-01.
MIN_STARTED_AT = 0
MAX_STARTED_AT = 4_102_444_800_000_000


class Reason(StrEnum):
    """Why a row is quarantined: the first rule that it breaks.

    Rules are tried in this order: what the file says itself, the row as a whole, its id, its time, its
    messages, its other columns.
    """

    #: The source marked the conversation as deleted (import only).
    DELETED_AT_SOURCE = "deleted_at_source"
    #: The start of the thread is not in the file (import only).
    INCOMPLETE_THREAD = "incomplete_thread"
    #: The file says so itself with a code that this version does not know.
    QUARANTINED_AT_SOURCE = "quarantined_at_source"
    #: The row holds bytes that are not UTF-8.
    INVALID_ENCODING = "invalid_encoding"
    #: The line, or the text in ``messages``, is not JSON.
    UNREADABLE_JSON = "unreadable_json"
    #: The line is JSON, but not an object.
    NOT_AN_OBJECT = "not_an_object"
    #: A CSV row has more or fewer fields than its header.
    WRONG_NUMBER_OF_FIELDS = "wrong_number_of_fields"
    #: The row, the messages together, or the number of turns exceed the limits above.
    TOO_LARGE = "too_large"
    #: ``conversation_id`` is missing, null or blank.
    MISSING_CONVERSATION_ID = "missing_conversation_id"
    #: ``conversation_id`` is not a text or whole number, is too long, or holds control characters.
    BAD_CONVERSATION_ID = "bad_conversation_id"
    #: ``started_at`` is missing, null or blank.
    MISSING_TIMESTAMP = "missing_timestamp"
    #: ``started_at`` cannot be read as a date and time, or is outside 1970 to 2100.
    BAD_TIMESTAMP = "bad_timestamp"
    #: ``messages`` is missing, null or an empty list.
    NO_MESSAGES = "no_messages"
    #: ``messages`` is not a list of objects with text, or another column does not hold its type.
    WRONG_TYPE = "wrong_type"
    #: A role is neither ``user`` nor ``assistant``.
    UNKNOWN_ROLE = "unknown_role"
    #: No user message has any text.
    NO_USER_MESSAGE = "no_user_message"
    #: An admitted row earlier in the input has the same ``conversation_id`` (set in ``conversation_intake``).
    DUPLICATE_ID = "duplicate_id"


REQUIRED_COLUMNS = ("conversation_id", "account_id", "started_at", "messages")
TEXT_COLUMNS = ("model", "product", "language", "country_code", "region_code", "organization_id")
BOOLEAN_COLUMNS = ("extended_thinking", "safety_flagged")
INTEGER_COLUMNS = ("input_tokens", "output_tokens")
#: ``quarantine_reason`` is how ``economic-index import`` hands on a row that it could not turn into a
#: conversation.
COLUMNS = (*REQUIRED_COLUMNS, *TEXT_COLUMNS, *BOOLEAN_COLUMNS, *INTEGER_COLUMNS, "quarantine_reason")

MESSAGES_TYPE = pa.list_(pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())]))

#: What ``economic-index import`` writes and every reader accepts: the canonical contract.
CANONICAL_SCHEMA = pa.schema(
    [
        pa.field("conversation_id", pa.string()),
        pa.field("account_id", pa.string()),
        pa.field("started_at", pa.timestamp("us", tz="UTC")),
        pa.field("messages", MESSAGES_TYPE),
        *(pa.field(name, pa.string()) for name in TEXT_COLUMNS),
        *(pa.field(name, pa.bool_()) for name in BOOLEAN_COLUMNS),
        *(pa.field(name, pa.int64()) for name in INTEGER_COLUMNS),
        pa.field("quarantine_reason", pa.string()),
    ]
)

#: What the warehouse sees: no account id and no organisation id, only keyed pseudonyms of them.
READ_SCHEMA = pa.schema(
    [
        pa.field("input_row", pa.int64()),
        pa.field("source_file", pa.string()),
        pa.field("conversation_id", pa.string()),
        pa.field("account_key", pa.string()),
        pa.field("organization_key", pa.string()),
        pa.field("started_at", pa.timestamp("us")),
        pa.field("messages", MESSAGES_TYPE),
        pa.field("content_hash", pa.string()),
        pa.field("n_messages", pa.int64()),
        pa.field("n_user_messages", pa.int64()),
        pa.field("n_characters", pa.int64()),
        pa.field("model", pa.string()),
        pa.field("product", pa.string()),
        pa.field("language", pa.string()),
        pa.field("country_code", pa.string()),
        pa.field("region_code", pa.string()),
        pa.field("extended_thinking", pa.bool_()),
        pa.field("safety_flagged", pa.bool_()),
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("is_test_accounts", pa.bool_()),
        pa.field("is_in_population", pa.bool_()),
        pa.field("sample_draw", pa.int64()),
        pa.field("quarantine_reason", pa.string()),
    ]
)

#: Key-value metadata of a canonical Parquet file: how its account ids came about, and under which key.
ACCOUNTS_METADATA = b"economic_index.accounts"
PSEUDONYMS_METADATA = b"economic_index.pseudonyms"
PER_CONVERSATION = "per-conversation"
