"""What is asked: a request becomes a prompt with a schema, and the model's text becomes an answer. No I/O
here.

Layout, for caching: instructions first, then (where they do not depend on the conversation) the questions and
options, then what varies, and the conversation last, alone in its block. Nothing follows it.

Options are answered by place in the list, not by text: a schema with a hundred task texts in an enum would be
sent twice, would be compiled anew for every list, would change the cached prefix, and the API refuses large
enums ("compiled grammar is too large"). With places, all lists of one length share a schema; a list longer
than 100 is numbered by page and line. Facets with few, fixed options are answered by their ids.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from economic_index.conversation import Message
from economic_index.engines.anthropic.prompts import Prompt, read_prompts
from economic_index.engines.base import Chosen, Field, Request

#: Beyond this many options a place is a page and a line; also the largest enum that is sent.
PAGE_AFTER = 100
LINES_ON_PAGE = 50
#: A conversation longer than this (in estimated tokens) is cut at turn boundaries.
MAX_CONVERSATION_TOKENS = 12_000
CONFIDENCES = (1, 2, 3, 4, 5)
MAX_SUMMARY_CHARACTERS = 1_200

_RESERVED = re.compile(r"<(?=\W{0,64}(?:conversation|summary|person|assistant|options|items))", re.IGNORECASE)
_TURN = {"user": "<person>", "assistant": "<assistant>"}
_STAGES = {
    "top": "task", "middle": "task", "base": "task", "level": "task", "pattern": "collaboration_pattern",
    "skills": "skill", "occupational": "screen", "shortlist": "choose", "widen": "choose",
}  # fmt: skip


@dataclass(frozen=True)
class Coded:
    """How the answer to one field is written: the property names, and the option behind each place."""

    field: Field
    codes: Mapping[str, str] | None

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the options, which a prompt that numbers them does not show."""
        return tuple(self.codes.values()) if self.codes is not None else ()


@dataclass(frozen=True)
class Rendered:
    """A request ready to be sent. ``static`` is shared by all requests with the same questions and may be
    cached."""

    stage: str
    static: str
    user: str
    schema: dict[str, Any]
    max_tokens: int
    coded: tuple[Coded, ...]
    prompt: Prompt
    cut: bool
    #: Reads the model's text in place of ``parse``'s own rules: for work that is not about a conversation.
    reader: Callable[[str], Parsed] | None = None

    def digest(self) -> bytes:
        """SHA-256 of all that is sent but the model and its parameters, and of the ids that an answer stands
        for."""
        hashed = sha256()
        ids = "\x00".join(name for entry in self.coded for name in (entry.field.name, *entry.ids))
        for part in (self.static, self.user, ids):
            raw = part.encode("utf-8")
            hashed.update(len(raw).to_bytes(8, "big"))
            hashed.update(raw)
        hashed.update(orjson.dumps(self.schema))
        hashed.update(self.max_tokens.to_bytes(8, "big"))
        return hashed.digest()

    def prefix(self) -> bytes:
        """Names the part that a prompt cache could share: schema and static text."""
        return sha256(orjson.dumps(self.schema) + self.static.encode("utf-8")).digest()


@dataclass(frozen=True)
class Parsed:
    """What a model's text says. ``problem``: a reason code when it is not a valid answer."""

    values: Mapping[str, Chosen] = field(default_factory=dict)
    summary: str | None = None
    problem: str | None = None


def estimate_tokens(text: str) -> int:
    """Rough token count, a little on the high side: 3.6 bytes of ASCII or one other character a token."""
    plain = len(text.encode("ascii", "ignore"))
    return int(plain / 3.6 + (len(text) - plain) * 1.1) + 1


def prompt_for(request: Request) -> Prompt:
    """The prompt file that serves a request: its stage's, else by what is asked and about what."""
    prompts = read_prompts()
    if request.summary is None and _asks_several_tasks(request):
        return prompts["task_several"]
    for name in (request.stage, _STAGES.get(request.stage)):
        if name in prompts and prompts[name].kind == "label":
            if request.summary is not None and name in ("task", "choose"):
                break
            return prompts[name]
    kind = request.fields[0].answer_type if len(request.fields) == 1 else None
    if request.summary is not None and kind in ("choice", "multi"):
        return prompts["choose" if kind == "choice" else "choose_several"]
    only = request.fields[0].name if len(request.fields) == 1 else ""
    if only in ("task", "top", "middle", "base"):
        return prompts["task"]
    name = _STAGES.get(only, only)
    known = prompts.get(name)
    return known if known is not None and known.kind == "label" else prompts["facet"]


def _asks_several_tasks(request: Request) -> bool:
    only = request.fields[0] if len(request.fields) == 1 else None
    return only is not None and only.name == "task" and only.answer_type == "multi"


def render(request: Request, max_tokens: int = MAX_CONVERSATION_TOKENS) -> Rendered:
    """Render a request. ``max_tokens``: longest conversation, in estimated tokens, that is sent whole."""
    prompt = prompt_for(request)
    static, questions, schema, coded = _questions(request.fields, prompt, request.summary is not None)
    material, cut = _material(request, max_tokens)
    user = f"{questions}\n\n{material}" if questions else material
    return Rendered(request.stage, static, user, schema, prompt.max_tokens, coded, prompt, cut)


_Questions = tuple[str, str, dict[str, Any], tuple["Coded", ...]]
# By identity: to hash two thousand options for every conversation would cost more than to render them once.
_KNOWN: OrderedDict[tuple[int, str, bool], tuple[tuple[Field, ...], _Questions]] = OrderedDict()
_KNOWN_SIZE = 256


def _questions(fields: tuple[Field, ...], prompt: Prompt, is_summary: bool) -> _Questions:
    """Static text, text that stands before the material, schema and codes: all but the conversation."""
    key = (id(fields), prompt.name, is_summary)
    known = _KNOWN.get(key)
    if known is not None and known[0] is fields:
        return known[1]
    made = _make_questions(fields, prompt, is_summary)
    _KNOWN[key] = (fields, made)
    while len(_KNOWN) > _KNOWN_SIZE:
        with suppress(KeyError):
            _KNOWN.popitem(last=False)
    return made


def _make_questions(fields: tuple[Field, ...], prompt: Prompt, is_summary: bool) -> _Questions:
    coded = tuple(_code(asked, prompt) for asked in fields)
    asked = "\n\n".join(_question(entry) for entry in coded)
    preface = read_prompts()["preface_summary" if is_summary else "preface"]
    static = f"{preface.text}\n\n{prompt.text}"
    if prompt.layout == "system":
        return f"{static}\n\n{asked}", "", _schema(coded, prompt), coded
    return static, asked, _schema(coded, prompt), coded


def _code(asked: Field, prompt: Prompt) -> Coded:
    if asked.answer_type == "number" or (prompt.options == "ids" and len(asked.options) <= PAGE_AFTER):
        return Coded(asked, None)
    ids = [option.id for option in asked.options]
    if len(ids) <= PAGE_AFTER:
        return Coded(asked, {str(place): name for place, name in enumerate(ids, 1)})
    places = {f"{i // LINES_ON_PAGE + 1}.{i % LINES_ON_PAGE + 1}": name for i, name in enumerate(ids)}
    return Coded(asked, places)


def _question(entry: Coded) -> str:
    asked = entry.field
    if asked.answer_type == "number":
        return f"{asked.name}: {one_line(asked.question)}"
    if entry.codes is None:
        lines = [
            f"- {option.id}"
            + (f": {one_line(option.description)}" if option.description else f": {option.text}")
            for option in asked.options
        ]
        return f"{asked.name}: {one_line(asked.question)}\n" + "\n".join(lines)
    lines = [
        f"{code}: {one_line(option.text)}"
        + (f" :: {one_line(option.description)}" if option.description else "")
        for code, option in zip(entry.codes, asked.options, strict=True)
    ]
    return f'{one_line(asked.question)}\n<options for="{asked.name}">\n' + "\n".join(lines) + "\n</options>"


def one_line(text: str) -> str:
    """Text without line breaks and without our delimiters."""
    return neutralise(" ".join(text.split()))


def _schema(coded: Sequence[Coded], prompt: Prompt) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    if prompt.scratchpad:
        properties["considerations"] = {"type": "string"}
    if prompt.summary:
        properties["summary"] = {"type": "string"}
    for entry in coded:
        properties.update(_properties(entry))
        if prompt.confidence and entry.field.answer_type == "choice":
            properties[f"{entry.field.name}_confidence"] = {"type": "integer", "enum": list(CONFIDENCES)}
    return object_schema(properties)


def object_schema(properties: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema of an object as structured outputs want it: everything required, nothing else allowed."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _properties(entry: Coded) -> dict[str, Any]:
    name, kind = entry.field.name, entry.field.answer_type
    if kind == "number":
        return {name: {"type": "number"}}
    if not _paged(entry):
        one: dict[str, Any] = {"type": "string", "enum": [option.id for option in entry.field.options]}
        if entry.codes is not None:
            one = _numbers(len(entry.codes))
        return {name: {"type": "array", "items": one} if kind == "multi" else one}
    pages = (len(entry.field.options) - 1) // LINES_ON_PAGE + 1
    page, line = _numbers(pages), _numbers(LINES_ON_PAGE)
    if kind == "multi":
        return {name: {"type": "array", "items": object_schema({"page": page, "line": line})}}
    return {f"{name}_page": page, f"{name}_line": line}


def _numbers(count: int) -> dict[str, Any]:
    return {"type": "integer", "enum": list(range(1, count + 1))}


def _paged(entry: Coded) -> bool:
    return entry.codes is not None and len(entry.field.options) > PAGE_AFTER


def parse(rendered: Rendered, text: str) -> Parsed:
    """Read a model's answer. Nothing is guessed: what is not exactly an offered value is a problem.

    The problem is one of ``not_json``, ``missing_field``, ``option_not_offered``, ``not_a_number``,
    ``no_summary``.
    """
    if rendered.reader is not None:
        return rendered.reader(text)
    record = read_object(text)
    if record is None:
        return Parsed(problem="not_json")
    values: dict[str, Chosen] = {}
    for entry in rendered.coded:
        chosen = _read(entry, record)
        if isinstance(chosen, str):
            return Parsed(problem=chosen)
        values[entry.field.name] = chosen
    summary = record.get("summary") if rendered.prompt.summary else None
    if rendered.prompt.summary and (not isinstance(summary, str) or not summary.strip()):
        return Parsed(problem="no_summary")
    return Parsed(values, summary[:MAX_SUMMARY_CHARACTERS].strip() if summary else None)


def read_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is; None when it is none."""
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def _read(entry: Coded, record: dict[str, Any]) -> Chosen | str:
    """The choice for one field, or the problem with it."""
    asked = entry.field
    if asked.answer_type == "number":
        number = record.get(asked.name)
        if isinstance(number, bool) or not isinstance(number, int | float):
            return "not_a_number"
        return Chosen(number=float(number))
    given = _given(entry, record)
    if given is None:
        return "missing_field"
    if entry.codes is not None:
        codes = entry.codes
        chosen = [None if isinstance(value, bool) else codes.get(str(value)) for value in given]
    else:
        offered = {option.id for option in asked.options}
        chosen = [value if isinstance(value, str) and value in offered else None for value in given]
    if any(value is None for value in chosen):
        return "option_not_offered"
    options = tuple(dict.fromkeys(str(value) for value in chosen))
    confidence = record.get(f"{asked.name}_confidence")
    if isinstance(confidence, int) and confidence in CONFIDENCES and len(options) == 1:
        return Chosen(options, (confidence / max(CONFIDENCES),))
    return Chosen(options)


def _given(entry: Coded, record: dict[str, Any]) -> list[Any] | None:
    """The raw values of a field: ids or places."""
    name, multi = entry.field.name, entry.field.answer_type == "multi"
    if not _paged(entry):
        value = record.get(name)
        if multi:
            return value if isinstance(value, list) else None
        return None if value is None else [value]
    if multi:
        places = record.get(name)
        if not isinstance(places, list):
            return None
        return [f"{p.get('page')}.{p.get('line')}" if isinstance(p, dict) else None for p in places]
    if f"{name}_page" not in record or f"{name}_line" not in record:
        return None
    return [f"{record[f'{name}_page']}.{record[f'{name}_line']}"]


def _material(request: Request, max_tokens: int) -> tuple[str, bool]:
    """The data block: the summary where there is one, else the conversation, cut if too long."""
    if request.summary is not None:
        return data_block("summary", neutralise(request.summary)), False
    messages, cut = fit(request.conversation.messages, max_tokens)
    turns = "\n".join(f"{_TURN.get(role, '<person>')}\n{neutralise(content)}" for role, content in messages)
    return data_block("conversation", turns), cut


def data_block(name: str, text: str) -> str:
    """Text between tags that carry a digest of it: no text can hold the digest of itself, so none can close
    it."""
    mark = sha256(text.encode("utf-8")).hexdigest()[:8]
    return f"<{name}-{mark}>\n{text}\n</{name}-{mark}>"


def neutralise(text: str) -> str:
    """Text in which nothing reads as one of our tags, and which UTF-8 can hold."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return _RESERVED.sub("‹", clean)


def fit(messages: Sequence[Message], max_tokens: int) -> tuple[list[tuple[str, str]], bool]:
    """Turns that fit: all, or the first and as many of the last as there is room for, with a marker between.

    A first or last turn that is too long by itself is cut in its middle. Returns (role, text) pairs and
    whether anything was left out.
    """
    sizes = [estimate_tokens(message.content) for message in messages]
    if sum(sizes) <= max_tokens:
        return [(message.role, message.content) for message in messages], False
    first = _shorten(messages[0].content, sizes[0], max_tokens // 3)
    room = max_tokens - min(sizes[0], max_tokens // 3)
    kept: list[tuple[str, str]] = []
    for message, size in zip(reversed(messages[1:]), reversed(sizes[1:]), strict=True):
        if size > room:
            if not kept and room > 0:
                kept.append((message.role, _shorten(message.content, size, room)))
            break
        kept.append((message.role, message.content))
        room -= size
    left_out = len(messages) - 1 - len(kept)
    if left_out:
        first += f"\n[… {left_out} turns left out …]"
    return [(messages[0].role, first), *reversed(kept)], True


def _shorten(text: str, size: int, room: int) -> str:
    if size <= room:
        return text
    half = max(1, int(len(text) * room / size) // 2)
    return f"{text[:half]}\n[… text left out …]\n{text[-half:]}"
