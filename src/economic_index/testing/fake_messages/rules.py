"""What the real API refuses, so that a request that passes here would pass there.

Sources: the types and docstrings of the ``anthropic`` SDK and the public documentation on messages, prompt
caching, structured outputs and batches. Where the API documents no number (size of a compiled grammar) the
limit here is on the careful side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

VERSIONS = ("2023-06-01", "2026-10-21")
MAX_BODY = 32 * 1024 * 1024
MAX_BREAKPOINTS = 4
MAX_OPTIONAL = 24
#: The API answers 400 "compiled grammar is too large" somewhere above 100 values of an enum.
MAX_ENUM_VALUES = 100
MAX_OUTPUT = 64_000
CUSTOM_ID = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
PARAMETERS = {
    "model", "max_tokens", "messages", "system", "metadata", "stop_sequences", "stream", "thinking",
    "tool_choice", "tools", "service_tier", "output_config", "cache_control", "container", "inference_geo",
}  # fmt: skip
UNSUPPORTED = {
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
    "maxItems", "uniqueItems", "minProperties", "maxProperties", "patternProperties", "if", "then", "else",
    "not",
}  # fmt: skip
NO_EFFORT = ("claude-haiku-4-5", "claude-sonnet-4-5")
ALWAYS_THINKING = ("claude-opus-5-5", "claude-fable-5", "claude-mythos-5")


@dataclass(frozen=True)
class Refusal(Exception):
    """An error answer: HTTP status, the API's error type, a message that names the rule and no content."""

    status: int
    kind: str
    message: str


def check_headers(headers: Mapping[str, str], key: str | None) -> None:
    """Authentication and version.

    Raises:
        Refusal: 401 without a key or with another key than ``key``; 400 without a known version.
    """
    bearer = headers.get("Authorization", "")
    given = bearer.removeprefix("Bearer ") if bearer.startswith("Bearer ") else headers.get("x-api-key", "")
    if not given or (key is not None and given != key):
        raise Refusal(401, "authentication_error", "invalid x-api-key")
    if headers.get("anthropic-version") not in VERSIONS:
        raise Refusal(400, "invalid_request_error", "anthropic-version: unknown or missing")


def check_body(body: Any, models: tuple[str, ...] | None) -> None:
    """The whole of a Messages request.

    Raises:
        Refusal: 404 for a model that is not in ``models``, 400 for every other breach.
    """
    _need(isinstance(body, dict), "body: must be an object")
    extra = sorted(set(body) - PARAMETERS)
    _need(not extra, f"{extra[0] if extra else ''}: Extra inputs are not permitted")
    model = body.get("model")
    _need(isinstance(model, str) and bool(model), "model: Field required")
    if models is not None and model not in models:
        raise Refusal(404, "not_found_error", f"model: {model}")
    limit = body.get("max_tokens")
    _need(
        isinstance(limit, int) and not isinstance(limit, bool) and 1 <= limit <= MAX_OUTPUT,
        "max_tokens: out of range",
    )
    _need(not body.get("stream"), "stream: this fake server does not stream")
    _check_thinking(body)
    _check_messages(body.get("messages"))
    _check_cache(body)
    _check_output(body)


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise Refusal(400, "invalid_request_error", message)


def _check_thinking(body: dict[str, Any]) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    _need(isinstance(thinking, dict), "thinking: must be an object")
    kind = thinking.get("type")
    _need(kind in ("enabled", "disabled", "adaptive"), "thinking.type: unknown")
    _need(kind != "disabled" or not body["model"].startswith(ALWAYS_THINKING), "thinking: cannot be disabled")
    if kind == "enabled":
        _need(
            1024 <= thinking.get("budget_tokens", 0) < body["max_tokens"],
            "thinking.budget_tokens: out of range",
        )


def _check_messages(messages: Any) -> None:
    _need(isinstance(messages, list) and bool(messages), "messages: at least one message is required")
    expected = "user"
    for index, message in enumerate(messages):
        _need(
            isinstance(message, dict) and set(message) == {"role", "content"},
            f"messages.{index}: role and content",
        )
        _need(message["role"] == expected, f"messages.{index}: roles must alternate, starting with user")
        expected = "assistant" if expected == "user" else "user"
        _check_blocks(message["content"], f"messages.{index}.content")
    _need(messages[-1]["role"] == "user", "messages: this model does not support assistant message prefill")


def _check_blocks(content: Any, where: str) -> None:
    if isinstance(content, str):
        _need(bool(content.strip()), f"{where}: text content must be non-empty")
        return
    _need(isinstance(content, list) and bool(content), f"{where}: must be a string or a list of blocks")
    for block in content:
        _need(isinstance(block, dict) and block.get("type") == "text", f"{where}: only text blocks")
        _need(not set(block) - {"type", "text", "cache_control"}, f"{where}: Extra inputs are not permitted")
        _need(
            isinstance(block.get("text"), str) and bool(block["text"].strip()),
            f"{where}: text must be non-empty",
        )


def _all_blocks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for content in (body.get("system"), *(message["content"] for message in body["messages"])):
        if isinstance(content, list):
            yield from content


def _check_cache(body: dict[str, Any]) -> None:
    if body.get("system") is not None and body["system"] != "":
        _check_blocks(body["system"], "system")
    controls = [
        block["cache_control"] for block in _all_blocks(body) if block.get("cache_control") is not None
    ]
    if body.get("cache_control") is not None:
        controls.append(body["cache_control"])
    _need(len(controls) <= MAX_BREAKPOINTS, "cache_control: a maximum of 4 blocks may have it")
    seen_short = False
    for control in controls:
        _need(
            isinstance(control, dict) and control.get("type") == "ephemeral",
            "cache_control.type: must be ephemeral",
        )
        _need(not set(control) - {"type", "ttl"}, "cache_control: Extra inputs are not permitted")
        ttl = control.get("ttl", "5m")
        _need(ttl in ("5m", "1h"), "cache_control.ttl: must be 5m or 1h")
        _need(not (seen_short and ttl == "1h"), "cache_control.ttl: 1h must come before 5m")
        seen_short = seen_short or ttl == "5m"


def _check_output(body: dict[str, Any]) -> None:
    config = body.get("output_config")
    if config is None:
        return
    _need(isinstance(config, dict) and not set(config) - {"format", "effort"}, "output_config: unknown field")
    if config.get("effort") is not None:
        _need(config["effort"] in ("low", "medium", "high", "xhigh", "max"), "output_config.effort: unknown")
        _need(not body["model"].startswith(NO_EFFORT), "output_config.effort: not supported by this model")
    form = config.get("format")
    if form is not None:
        _need(
            isinstance(form, dict) and form.get("type") == "json_schema",
            "output_config.format.type: json_schema",
        )
        schema = form.get("schema")
        _need(
            isinstance(schema, dict) and schema.get("type") == "object",
            "output_config.format.schema: an object",
        )
        optional = _check_schema(schema, "schema")
        _need(optional <= MAX_OPTIONAL, "output_config.format.schema: too many optional parameters")


def _check_schema(schema: Any, where: str) -> int:
    """Number of optional properties below ``schema``; refuses what structured outputs do not support."""
    _need(isinstance(schema, dict), f"{where}: must be a schema")
    bad = sorted(set(schema) & UNSUPPORTED)
    _need(not bad, f"{where}: {bad[0] if bad else ''} is not supported")
    _need("$ref" not in schema, f"{where}: this fake server does not follow $ref")
    _need(
        "type" in schema or "enum" in schema or "const" in schema or "anyOf" in schema,
        f"{where}: a type is required",
    )
    if "enum" in schema:
        values = schema["enum"]
        _need(isinstance(values, list) and bool(values), f"{where}.enum: must be a non-empty list")
        _need(
            all(v is None or isinstance(v, str | int | float | bool) for v in values),
            f"{where}.enum: primitives only",
        )
        _need(len(values) == len(set(map(repr, values))), f"{where}.enum: values must be distinct")
        _need(len(values) <= MAX_ENUM_VALUES, "schema: The compiled grammar is too large")
    optional = 0
    if schema.get("type") == "object":
        _need(schema.get("additionalProperties") is False, f"{where}: additionalProperties must be false")
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        _need(set(required) <= set(properties), f"{where}.required: names an unknown property")
        optional += len(set(properties) - set(required))
        for name, value in properties.items():
            optional += _check_schema(value, f"{where}.{name}")
    if schema.get("type") == "array":
        _need("items" in schema, f"{where}: items are required")
        _need(schema.get("minItems", 0) in (0, 1), f"{where}.minItems: only 0 and 1 are supported")
        optional += _check_schema(schema["items"], f"{where}.items")
    for value in schema.get("anyOf", []):
        optional += _check_schema(value, f"{where}.anyOf")
    return optional


def check_batch(
    body: Any, models: tuple[str, ...] | None, size: int, max_requests: int, max_bytes: int
) -> None:
    """A batch as a whole: count, bytes and custom ids. Its requests are checked when it is processed, as the
    API does.

    Raises:
        Refusal: 413 over the byte limit, 400 for every other breach.
    """
    if size > max_bytes:
        raise Refusal(413, "request_too_large", "request exceeds the maximum size")
    requests = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(requests, list) or not requests:
        raise Refusal(400, "invalid_request_error", "requests: at least one request is required")
    _need(len(requests) <= max_requests, "requests: too many requests in one batch")
    seen: set[str] = set()
    for entry in requests:
        _need(
            isinstance(entry, dict) and set(entry) == {"custom_id", "params"},
            "requests: custom_id and params",
        )
        name = entry["custom_id"]
        _need(
            isinstance(name, str) and bool(CUSTOM_ID.match(name)),
            "requests.custom_id: 1 to 64 of [a-zA-Z0-9_-]",
        )
        _need(name not in seen, "requests.custom_id: must be unique")
        seen.add(name)
