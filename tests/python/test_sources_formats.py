"""Every import format, from files of the published shapes to rows of the contract."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sources_cases import ASSISTANT, USER, data_folder, good, write_csv, write_jsonl, write_parquet

from economic_index.errors import UserError
from economic_index.sources.contract import Reason
from economic_index.sources.formats import FORMATS, detect, format_named
from economic_index.sources.formats import claude_ai as claude_ai_module
from economic_index.sources.formats.countries import country_code
from economic_index.sources.validate import Checked, check


def rows_of(name: str, path: Path) -> list[Checked]:
    """Rows of a file as the validator sees them; the format is also what detection says."""
    assert detect(path).name == name
    return [check(record.values, record.reason) for record in FORMATS[name].read(path, None)]


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


# ------------------------------------------------------------------ oasst2


def message(name: str, parent: str | None = None, **changes: object) -> dict[str, object]:
    depth = "root" if parent is None else parent
    return {
        "message_id": name,
        "parent_id": parent,
        "user_id": f"user-of-{name}",
        "created_date": "2023-02-12T19:06:16.233571+00:00",
        "role": "prompter" if parent is None else "assistant",
        "lang": "de",
        "text": f"text of {name}",
        "deleted": False,
        "model_name": None,
        "message_tree_id": depth,
        **changes,
    }


def texts(row: Checked) -> list[str]:
    return [content.removeprefix("text of ") for _, content in row.messages or []]


def test_oasst2_follows_rank_then_order(tmp_path: Path) -> None:
    rows = [
        message("p"),
        message("worse", "p", rank=1),
        message("best", "p", rank=0),
        message("next", "best", role="prompter"),
        message("other", "best", role="prompter"),
        message("end", "other"),
        message("unranked", "next"),
        message("ranked", "next", rank=3),
    ]
    (row,) = rows_of("oasst2", write_jsonl(tmp_path / "in.jsonl", rows))
    assert texts(row) == ["p", "best", "next", "ranked"]
    assert [role for role, _ in row.messages or []] == ["user", "assistant", "user", "assistant"]
    assert (row.conversation_id, row.account_id, row.language) == ("p", "user-of-p", "de")
    assert row.started_at == 1_676_228_776_233_571


def test_oasst2_deleted_repeated_and_loose_messages(tmp_path: Path) -> None:
    rows = [
        message("p"),
        message("gone", "p", deleted=True, rank=0),
        message("below", "gone", role="prompter"),
        message("kept", "p", rank=1),
        message("p"),
        message("kept", "p", rank=1),
        message("q", deleted=True),
        message("answer", "q"),
        message("orphan", "nowhere"),
        message("its-reply", "orphan"),
        message("ring-1", "ring-2"),
        message("ring-2", "ring-1"),
        message("odd", role="moderator"),
        message("bad", parent_id=7),
        "no JSON",
    ]
    found = rows_of("oasst2", write_jsonl(tmp_path / "in.jsonl", rows))
    by_reason = Counter(row.reason for row in found)
    assert by_reason == {
        Reason.UNREADABLE_JSON: 1,
        Reason.WRONG_TYPE: 1,
        None: 1,
        Reason.DUPLICATE_ID: 1,
        Reason.DELETED_AT_SOURCE: 1,
        Reason.UNKNOWN_ROLE: 1,
        Reason.INCOMPLETE_THREAD: 2,
    }
    (admitted,) = [row for row in found if row.reason is None]
    assert texts(admitted) == ["p", "kept"]


def test_oasst2_parquet_and_scattered_trees(tmp_path: Path) -> None:
    rows = [message("a-reply", "a", rank=0), message("b"), message("a"), message("b-reply", "b", rank=0)]
    path = write_parquet(tmp_path / "in.parquet", pa.Table.from_pylist(rows))
    assert [texts(row) for row in rows_of("oasst2", path)] == [["b", "b-reply"], ["a", "a-reply"]]


# ------------------------------------------------------------------ arena-hard


def test_arena_hard_shapes(tmp_path: Path) -> None:
    rows = [
        {"conversation_id": "a", "cluster": "x", "model": "m", "messages": [USER, ASSISTANT]},
        {"question_id": "b", "cluster": "x", "turns": [{"content": "first"}, {"content": "second"}]},
        {"uid": "c", "category": "y", "prompt": "only"},
        {"uid": "d", "prompt": None},
    ]
    for row in rows:
        row["started_at"] = "2024-01-01"
    path = write_jsonl(tmp_path / "in.jsonl", rows[1:])
    b, _, d = rows_of("arena-hard", path)
    assert (b.reason, d.reason) == (Reason.MISSING_TIMESTAMP, Reason.MISSING_TIMESTAMP)
    values = [r.values for r in FORMATS["arena-hard"].read(write_jsonl(tmp_path / "all.jsonl", rows), None)]
    dated = [check({**v, "started_at": "2024-01-01"}) for v in values]
    assert [row.conversation_id for row in dated] == ["a", "b", "c", "d"]
    assert dated[1].messages == [("user", "first"), ("user", "second")]
    assert dated[2].messages == [("user", "only")] and dated[0].model == "m"
    assert [row.reason for row in dated] == [None, None, None, Reason.NO_MESSAGES]


# ------------------------------------------------------------------ wildchat and lmsys

FLAGGED = pa.list_(pa.struct([("categories", pa.struct([("hate", pa.bool_())])), ("flagged", pa.bool_())]))
WILDCHAT_TURN = pa.struct(
    [
        ("content", pa.string()),
        ("country", pa.string()),
        ("hashed_ip", pa.string()),
        ("header", pa.struct([("accept-language", pa.string()), ("user-agent", pa.string())])),
        ("language", pa.string()),
        ("redacted", pa.bool_()),
        ("role", pa.string()),
        ("state", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("toxic", pa.bool_()),
        ("turn_identifier", pa.int64()),
    ]
)
WILDCHAT_SCHEMA = pa.schema(
    [
        ("conversation_hash", pa.string()),
        ("model", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("conversation", pa.list_(WILDCHAT_TURN)),
        ("turn", pa.int64()),
        ("language", pa.string()),
        ("openai_moderation", FLAGGED),
        ("toxic", pa.bool_()),
        ("redacted", pa.bool_()),
        ("state", pa.string()),
        ("country", pa.string()),
        ("hashed_ip", pa.string()),
    ]
)
LMSYS_SCHEMA = pa.schema(
    [
        ("conversation_id", pa.string()),
        ("model", pa.string()),
        ("conversation", pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))),
        ("turn", pa.int64()),
        ("language", pa.string()),
        ("openai_moderation", FLAGGED),
        ("redacted", pa.bool_()),
    ]
)


def test_wildchat(tmp_path: Path) -> None:
    late, early = dt.datetime(2023, 5, 1, 12, tzinfo=dt.UTC), dt.datetime(2023, 5, 1, 11, tzinfo=dt.UTC)
    talk = [{**USER, "country": "Namibia", "hashed_ip": "ff"}, {**ASSISTANT, "timestamp": early}]
    rows = [
        {
            "conversation_hash": "h1",
            "model": "gpt-4",
            "timestamp": late,
            "conversation": talk,
            "language": "English",
            "openai_moderation": [{"flagged": False}, {"flagged": True}],
            "toxic": False,
            "country": "United States",
            "hashed_ip": "ee",
        },
        {"conversation_hash": "h2", "timestamp": late, "conversation": talk, "toxic": False},
        {"conversation_hash": "h3", "timestamp": late, "conversation": [USER]},
        {"conversation_hash": "h4", "timestamp": late, "conversation": []},
        {"conversation_hash": None, "timestamp": None, "conversation": None},
    ]
    path = write_parquet(tmp_path / "in.parquet", pa.Table.from_pylist(rows, WILDCHAT_SCHEMA))
    h1, h2, h3, h4, none = rows_of("wildchat", path)
    assert (h1.account_id, h1.country_code, h1.safety_flagged, h1.model) == ("ee", "US", True, "gpt-4")
    assert (h2.account_id, h2.country_code, h2.safety_flagged) == ("ff", "NA", False)
    assert (h3.account_id, h3.country_code, h3.safety_flagged) == (None, None, None)
    assert h1.started_at == 1_682_938_800_000_000 and h3.started_at == 1_682_942_400_000_000
    assert h1.messages == [("user", USER["content"]), ("assistant", ASSISTANT["content"])]
    assert [h4.reason, none.reason] == [Reason.NO_MESSAGES, Reason.MISSING_CONVERSATION_ID]


def test_lmsys(tmp_path: Path) -> None:
    rows = [
        {
            "conversation_id": "x1",
            "model": "vicuna",
            "conversation": [USER, ASSISTANT],
            "language": "English",
        },
        {"conversation_id": "x2", "conversation": [USER], "openai_moderation": [{"flagged": True}]},
    ]
    path = write_parquet(tmp_path / "in.parquet", pa.Table.from_pylist(rows, LMSYS_SCHEMA))
    assert detect(path).name == "lmsys"
    first, second = [r.values for r in FORMATS["lmsys"].read(path, None)]
    one, two = (check({**v, "started_at": "2023-04-01"}) for v in (first, second))
    assert (one.reason, one.model, one.language, one.account_id) == (None, "vicuna", "English", None)
    assert two.safety_flagged is True and one.safety_flagged is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("United States", "US"),
        ("Namibia", "NA"),
        ("Türkiye", "TR"),
        ("Cote D'Ivoire", "CI"),
        ("Hong Kong", "HK"),
        ("South Korea", "KR"),
        ("Bosnia & Herzegovina", "BA"),
        ("Russian Federation", "RU"),
        ("de", "DE"),
        ("Atlantis", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_country_names(name: object, code: str | None) -> None:
    assert country_code(name) == code


# ------------------------------------------------------------------ claude-ai


def export(**changes: Any) -> dict[str, Any]:
    return {
        "uuid": "u-1",
        "name": "A private title",
        "created_at": "2025-03-01T10:00:00.123456Z",
        "updated_at": "2025-03-02T10:00:00Z",
        "account": {"uuid": "acc"},
        "chat_messages": [
            {"uuid": "m1", "text": "Plan my week", "content": [], "sender": "human", "attachments": []},
            {
                "uuid": "m2",
                "text": "This block is not supported",
                "content": [
                    {"type": "thinking", "thinking": "hidden"},
                    {"type": "text", "text": "Monday first."},
                    {"type": "tool_use", "name": "search", "input": {}},
                    {"type": "text", "text": "Then Tuesday."},
                ],
                "sender": "assistant",
            },
        ],
        **changes,
    }


def test_claude_ai_json_gzip_and_zip(tmp_path: Path) -> None:
    data = json.dumps([export(), export(uuid="u-2", chat_messages=[]), 7]).encode()
    plain = tmp_path / "conversations.json"
    plain.write_bytes(data)
    packed = tmp_path / "conversations.json.gz"
    packed.write_bytes(gzip.compress(data))
    archive = tmp_path / "data-2025.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("users.json", "[]")
        file.writestr("batch/conversations.json", data)
    for path in (plain, packed, archive):
        one, empty, odd = rows_of("claude-ai", path)
        assert one.messages == [("user", "Plan my week"), ("assistant", "Monday first.\nThen Tuesday.")]
        assert (one.account_id, one.product, one.started_at) == ("acc", "claude.ai", 1_740_823_200_123_456)
        assert (empty.reason, empty.conversation_id) == (Reason.NO_MESSAGES, "u-2")
        assert odd.reason == Reason.NOT_AN_OBJECT


@pytest.mark.parametrize(
    "text", ["", "{}", "[", '[{"uuid": "x"', '[{"uuid": "x"}', '[{"a": 1} {"b": 2}]', "[nope]"]
)
def test_claude_ai_broken_export(tmp_path: Path, text: str) -> None:
    path = tmp_path / "conversations.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"conversations\.json is not a complete JSON list"):
        list(FORMATS["claude-ai"].read(path, None))


def test_claude_ai_archive_without_conversations_or_damaged(tmp_path: Path) -> None:
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as file:
        file.writestr("users.json", "[]")
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(b"PK\x03\x04 and then nothing")
    for path, words in ((empty, "does not hold exactly one"), (damaged, "is damaged")):
        with pytest.raises(UserError, match=words):
            list(FORMATS["claude-ai"].read(path, None))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(JSON_VALUES, max_size=6), st.integers(1, 40), st.sampled_from([None, 1, 4]))
def test_claude_ai_elements_survive_any_chunk_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: list[Any], chunk: int, indent: int | None
) -> None:
    monkeypatch.setattr(claude_ai_module, "_CHUNK", chunk)
    path = tmp_path / "conversations.json"
    path.write_text(
        json.dumps(values, ensure_ascii=False, indent=indent), encoding="utf-8", errors="surrogatepass"
    )
    with path.open("rb") as stream:
        assert list(claude_ai_module._elements(path, stream)) == values


# ------------------------------------------------------------------ claude-code


def entry(kind: str, content: object, **changes: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "sessionId": "s-1",
        "uuid": "e",
        "timestamp": "2025-03-01T10:00:00.000Z",
        "isSidechain": False,
        "userType": "external",
        "cwd": "/srv/someone/secret",
        "message": {"role": kind, "content": content},
        **changes,
    }


def test_claude_code_session(tmp_path: Path) -> None:
    usage = {"input_tokens": 3, "cache_read_input_tokens": 7, "output_tokens": 5}
    said: dict[str, Any] = {"id": "m1", "model": "claude-x", "usage": usage}
    rows = [
        {"type": "summary", "summary": "not for us", "leafUuid": "l"},
        entry("user", "Fix the parser"),
        entry("assistant", None, message={**said, "content": [{"type": "thinking", "thinking": "hidden"}]}),
        entry("assistant", None, message={**said, "content": [{"type": "text", "text": "Looking."}]}),
        entry(
            "assistant",
            None,
            message={**said, "content": [{"type": "tool_use", "name": "Bash", "input": {"c": "ls"}}]},
        ),
        entry("user", [{"type": "tool_result", "content": "file list"}]),
        entry("assistant", [{"type": "text", "text": "Done."}]),
        entry("user", "aside", isSidechain=True),
        entry("user", "injected", isMeta=True),
        entry("user", [{"type": "text", "text": "Thanks"}]),
        entry("user", "another session", sessionId="s-2", timestamp="2025-03-02T10:00:00Z"),
        '{"type": "user", "sessionId": "s-1", "mess',
    ]
    bad, one, two = rows_of("claude-code", write_jsonl(tmp_path / "s-1.jsonl", rows))
    assert bad.reason == Reason.UNREADABLE_JSON
    assert one.messages == [
        ("user", "Fix the parser"),
        ("assistant", "Looking.\n[tool: Bash]\nDone."),
        ("user", "Thanks"),
    ]
    assert (one.model, one.product, one.input_tokens, one.output_tokens) == ("claude-x", "claude-code", 10, 5)
    assert (one.conversation_id, two.conversation_id, two.account_id) == ("s-1", "s-2", None)


def test_claude_code_file_of_summaries_alone(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "s.jsonl", [{"type": "summary", "summary": "x", "leafUuid": "l"}])
    (row,) = rows_of("claude-code", path)
    assert row.reason == Reason.NO_MESSAGES


# ------------------------------------------------------------------ openai


def test_openai_chat(tmp_path: Path) -> None:
    parts = [
        {"type": "text", "text": "Look at"},
        {"type": "image_url", "image_url": {}},
        {"type": "text", "text": "this"},
    ]
    call = {"role": "assistant", "content": None, "tool_calls": [{}]}
    rows = [
        {
            "id": "r-1",
            "created": 1_740_823_200,
            "user": "ada",
            "model": "m",
            "messages": [turn("system", "Be nice"), turn("user", "Hi"), call, turn("tool", "42"), ASSISTANT],
            "usage": {"prompt_tokens": 8, "completion_tokens": 2},
        },
        {"messages": [{"role": "user", "content": parts}], "created": 1_740_823_200.5},
        {"custom_id": "b-1", "body": {"model": "m2", "messages": [USER]}, "created_at": "2025-03-01"},
        {"messages": [turn("system", "alone")], "created": 1},
        {"messages": [turn("critic", "hm")], "created": 1},
        {"messages": "none", "created": 1},
        {"messages": [USER], "created": 10**15},
    ]
    found = rows_of("openai", write_jsonl(tmp_path / "in.jsonl", rows))
    first, second, third = found[:3]
    assert first.messages == [("user", "Hi"), ("assistant", ""), ("assistant", ASSISTANT["content"])]
    assert (first.account_id, first.input_tokens, first.output_tokens) == ("ada", 8, 2)
    assert first.started_at == 1_740_823_200_000_000 and second.started_at == 1_740_823_200_500_000
    assert second.messages == [("user", "Look at\nthis")] and (third.conversation_id, third.model) == (
        "b-1",
        "m2",
    )
    bad = [Reason.NO_MESSAGES, Reason.UNKNOWN_ROLE, Reason.UNREADABLE_JSON, Reason.BAD_TIMESTAMP]
    assert [row.reason for row in found[3:]] == bad
    again = [r.values for r in FORMATS["openai"].read(tmp_path / "in.jsonl", None)]
    assert again[1]["conversation_id"] == second.conversation_id, "made ids are the same each time"


# ------------------------------------------------------------------ detection


def test_detection_of_canonical_files(tmp_path: Path) -> None:
    assert detect(write_jsonl(tmp_path / "in.jsonl.gz", [good()])).name == "canonical"
    assert detect(write_csv(tmp_path / "in.csv", [good()])).name == "canonical"
    assert detect(write_jsonl(tmp_path / "late.jsonl", ["broken", 1, good()])).name == "canonical"


def test_unknown_formats(tmp_path: Path) -> None:
    for path in (
        write_jsonl(tmp_path / "in.jsonl", [{"a": 1}, "broken"]),
        write_csv(tmp_path / "in.csv", [{"a": 1}]),
        write_parquet(tmp_path / "in.parquet", pa.table({"a": [1]})),
    ):
        with pytest.raises(UserError, match=rf"format of the file .*{path.name} cannot be told"):
            detect(path)
    with pytest.raises(UserError, match="no import format 'word'"):
        format_named("word")
    assert format_named("auto") is None and format_named("csv") is FORMATS["canonical"]


# fmt: off
KEYS = [
    "messages", "message", "content", "role", "sender", "text", "type", "sessionId", "turns", "uuid",
    "chat_messages", "account", "body", "usage", "message_id", "parent_id", "conversation", "id", "created",
]
# fmt: on
GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=15,
)


@pytest.mark.parametrize("name", ["arena-hard", "openai", "canonical", "oasst2", "claude-code", "claude-ai"])
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(GARBAGE, max_size=6))
def test_no_garbage_raises(tmp_path: Path, name: str, values: list[Any]) -> None:
    if name == "claude-ai":
        path = tmp_path / "conversations.json"
        path.write_text(json.dumps(values))
    else:
        path = write_jsonl(tmp_path / "in.jsonl", [json.dumps(value).encode() for value in values])
    rows = [check(record.values, record.reason) for record in FORMATS[name].read(path, None)]
    if name in ("arena-hard", "openai", "canonical", "claude-ai"):
        assert len(rows) == len(values)
    assert all((row.reason is None) == (row.messages is not None) for row in rows)


# ------------------------------------------------------------------ the real files


@pytest.mark.data
def test_oasst2_subset_loses_no_conversation() -> None:
    path = data_folder() / "conversations" / "oasst2_subset_messages.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        source = [json.loads(line) for line in file]
    found = rows_of("oasst2", path)
    roots = [row for row in source if not row["parent_id"]]
    assert len(found) == len(roots) == 551
    assert Counter(row.reason for row in found) == {
        None: 519,
        Reason.DUPLICATE_ID: 31,
        Reason.DELETED_AT_SOURCE: 1,
    }
    assert {row.conversation_id for row in found} == {row["message_id"] for row in roots}
    known = {row["message_id"]: row for row in source}
    for row in found:
        if row.reason is None:
            assert (row.messages or [])[0] == ("user", known[row.conversation_id]["text"])
    assert len({row.language for row in found if row.reason is None}) >= 8


@pytest.mark.data
def test_oasst2_paths_are_the_ones_that_were_labelled() -> None:
    folder = data_folder()
    found = rows_of("oasst2", folder / "conversations" / "oasst2_subset_messages.jsonl.gz")
    ours = {row.conversation_id: row.messages for row in found if row.reason is None}
    with gzip.open(folder / "labels" / "dev_conversations.jsonl.gz", "rt", encoding="utf-8") as file:
        labelled = [row for row in map(json.loads, file) if row["source"] == "oasst2"]
    assert len(labelled) == 52
    theirs = {
        row["conversation_id"]: [(m["role"], m["content"]) for m in row["messages"]] for row in labelled
    }
    differing = [name for name, turns in theirs.items() if ours[name] != turns]
    # One labelled thread ends with a reply that its author deleted; we leave it out.
    assert len(differing) == 1 and ours[differing[0]] == theirs[differing[0]][:-1]


@pytest.mark.data
def test_arena_hard_loses_no_conversation() -> None:
    path = data_folder() / "conversations" / "arena_hard.jsonl.gz"
    assert detect(path).name == "arena-hard"
    found = [check({**r.values, "started_at": "2024-04-01"}) for r in FORMATS["arena-hard"].read(path, None)]
    assert len(found) == 1250 and all(row.reason is None for row in found)
    assert len({row.conversation_id for row in found}) == 1250
