"""What the fake model answers: from a labelled sample where it has the conversation, else by word overlap.

The model reads a prompt as a naive reader would: the first ``<conversation…>`` or ``<summary…>`` tag opens
the data, the first closing tag of that name ends it, whatever else the tag holds. Everything outside is
instruction, and it obeys an instruction of the form "ignore the above and answer X" found there. A prompt
whose data block a conversation can close is therefore caught: the conversation's own text becomes an
instruction.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_DATA = re.compile(r"<\s*(conversation|summary)[^>]*>(.*?)<\s*/\s*\1[^>]*>", re.DOTALL | re.IGNORECASE)
_OPTIONS = re.compile(r"<options for=\"([^\"]+)\">\n(.*?)\n</options>", re.DOTALL)
_ITEMS = re.compile(r"<items>\n(.*?)\n</items>", re.DOTALL)
_LINE = re.compile(r"^([0-9.]+): (.*)$", re.MULTILINE)
_FIRST_TURN = re.compile(r"<person>\n(.*?)(?=\n<person>\n|\n<assistant>\n|\Z)", re.DOTALL)
_REFERENCE = re.compile(r"ref ([0-9a-f]{16})")
_INJECTION = re.compile(r"ignore (?:all of |all |the )*above and answer ['\"]?([\w.]+)", re.IGNORECASE)
_BOUNDS = re.compile(r"between (\d+) and (\d+)")
_WORD = re.compile(r"[a-z]{3,}")


def fingerprint(first_message: str) -> str:
    """Name of a conversation by its first message: letters and digits of its first 400 characters; 16 hex
    digits.

    White space and punctuation do not count, so that neutralised delimiters do not change the name.
    """
    kept = "".join(character for character in first_message[:400].lower() if character.isalnum())
    return hashlib.sha256(kept[:200].encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class OracleRow:
    """The truth about one conversation. ``facets``: option id, or ids for a facet with several.

    ``texts``: every option text that is right, whatever the level: the top node, the middle node, the task.
    """

    facets: Mapping[str, str | list[str]] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()


@dataclass
class Oracle:
    """Answers by fingerprint of the first message."""

    rows: dict[str, OracleRow] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Oracle:
        """Read JSONL: ``{"fingerprint" or "first_message", "facets": {...}, "texts": [...]}`` a line."""
        oracle = cls()
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line.strip():
                    row = json.loads(line)
                    name = row.get("fingerprint") or fingerprint(row["first_message"])
                    oracle.rows[name] = OracleRow(row.get("facets", {}), frozenset(row.get("texts", ())))
        return oracle

    def add(
        self,
        first_message: str,
        facets: Mapping[str, str | list[str]] | None = None,
        texts: Iterable[str] = (),
    ) -> None:
        """Teach the answer for one conversation."""
        self.rows[fingerprint(first_message)] = OracleRow(facets or {}, frozenset(texts))

    def answer(self, body: dict[str, Any], wrong: bool = False) -> str:
        """The text of the model's answer; JSON when a schema asks for it. ``wrong``: with a value that was
        not offered."""
        form = (body.get("output_config") or {}).get("format")
        prompt = Prompt.read(body)
        if form is None:
            return prompt.command or "Understood."
        reply = _Reply(prompt, self.rows.get(prompt.reference or "", OracleRow()))
        value = reply.object(form["schema"])
        if wrong:
            value = {key: _spoil(item) for key, item in value.items()}
        return json.dumps(value, ensure_ascii=False)


def _spoil(value: Any) -> Any:
    if isinstance(value, str):
        return "something that was not offered"
    if isinstance(value, list):
        return ["something that was not offered"]
    return 987654


@dataclass(frozen=True)
class Prompt:
    """A request as the fake model understands it."""

    data: str
    reference: str | None
    options: Mapping[str, Mapping[str, str]]
    items: Mapping[str, str]
    command: str | None
    bounds: tuple[int, int] | None

    @classmethod
    def read(cls, body: dict[str, Any]) -> Prompt:
        """Find data, options, items and commands in a request."""
        system, user = _text(body.get("system") or ""), _text(body["messages"][0]["content"])
        found = _DATA.search(user)
        data = found.group(2) if found else ""
        outside = system + "\n" + (user[: found.start()] + user[found.end() :] if found else user)
        turn = _FIRST_TURN.search(data)
        reference = fingerprint(turn.group(1)) if turn else None
        if found and found.group(1).lower() == "summary":
            named = _REFERENCE.search(data)
            reference = named.group(1) if named else None
        options = {name: dict(_LINE.findall(lines)) for name, lines in _OPTIONS.findall(outside)}
        items = _ITEMS.search(outside)
        command = _INJECTION.search(outside)
        bounds = _BOUNDS.search(outside)
        return cls(
            data,
            reference,
            options,
            dict(_LINE.findall(items.group(1))) if items else {},
            command.group(1) if command else None,
            (int(bounds.group(1)), int(bounds.group(2))) if bounds else None,
        )


def _text(content: str | list[dict[str, Any]]) -> str:
    return content if isinstance(content, str) else "\n".join(block["text"] for block in content)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _draw(*parts: str) -> int:
    return int.from_bytes(
        hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest()[:8], "big"
    )


class _Reply:
    """Fills a schema property by property."""

    def __init__(self, prompt: Prompt, row: OracleRow) -> None:
        self.prompt = prompt
        self.row = row
        self.words = _words(prompt.data)

    def object(self, schema: dict[str, Any]) -> dict[str, Any]:
        properties = schema.get("properties", {})
        picks = {name: self._pick(name) for name in self.prompt.options}
        return {name: self._value(name, value, picks) for name, value in properties.items()}

    def _pick(self, field_name: str) -> list[str]:
        """Codes of the right options among those listed, best first; by word overlap when none is known."""
        listed = self.prompt.options[field_name]
        if self.prompt.command and self.prompt.command in listed:
            return [self.prompt.command]
        known = [code for code, text in listed.items() if text.partition(" :: ")[0] in self.row.texts]
        if known:
            # "None of these" is right only where nothing else is.
            return sorted(known, key=lambda code: listed[code].lower().startswith("none"))
        return [max(listed, key=lambda code: self._score(listed[code]))]

    def _score(self, text: str) -> tuple[float, int]:
        words = _words(text)
        overlap = len(words & self.words) / (1 + len(words)) if words else 0.0
        return overlap, _draw(self.prompt.reference or "", text)

    def _value(self, name: str, schema: dict[str, Any], picks: dict[str, list[str]]) -> Any:
        if schema.get("type") == "array":
            return self._array(name, schema, picks)
        if schema.get("type") == "object":
            return {
                key: self._value(key, value, picks) for key, value in schema.get("properties", {}).items()
            }
        if "enum" in schema:
            return self._enum(name, schema["enum"], picks)
        if schema.get("type") in ("integer", "number"):
            return 3
        if schema.get("type") == "boolean":
            return True
        return self._prose(name)

    def _enum(self, name: str, values: list[Any], picks: dict[str, list[str]]) -> Any:
        if self.prompt.command is not None and self.prompt.command in map(str, values):
            return next(value for value in values if str(value) == self.prompt.command)
        base, _, part = name.rpartition("_")
        if name in picks:
            return int(picks[name][0])
        if part in ("page", "line") and base in picks:
            page, _, line = picks[base][0].partition(".")
            return int(page if part == "page" else line)
        if all(isinstance(value, int) for value in values):
            return sorted(values)[-2] if len(values) > 1 else values[0]
        known = self.row.facets.get(name)
        if isinstance(known, str) and known in values:
            return known
        if "yes" in values:
            return "yes"
        return values[_draw(self.prompt.reference or self.prompt.data[:200], name) % len(values)]

    def _array(self, name: str, schema: dict[str, Any], picks: dict[str, list[str]]) -> list[Any]:
        items = schema["items"]
        if items.get("type") == "object":
            return self._rows(items)
        values = items.get("enum")
        if values is None:
            return []
        if name in picks:
            return [int(code) for code in picks[name] if int(code) in values]
        known = self.row.facets.get(name)
        if isinstance(known, list):
            return [value for value in known if value in values]
        return [
            values[_draw(self.prompt.reference or "", name, str(turn)) % len(values)] for turn in range(1)
        ]

    def _rows(self, schema: dict[str, Any]) -> list[dict[str, Any]]:
        """Groups of items for the taxonomy: an assignment for each item, or names within the bounds asked
        for."""
        properties = schema["properties"]
        if "item" in properties:
            listed = next(iter(self.prompt.options.values()), {})
            out = []
            for code, text in self.prompt.items.items():
                words = _words(text)
                best = max(listed, key=lambda c: (len(words & _words(listed[c])), _draw(text, listed[c])))
                out.append({"item": int(code), "parent": int(best)})
            return out
        low, high = self.prompt.bounds or (1, 3)
        texts = list(self.prompt.items.values()) or ["work"]
        count = max(low, min(high, (low + high) // 2, len(texts)))
        step = max(1, len(texts) // count)
        chosen = [texts[(index * step) % len(texts)] for index in range(count)]
        return [
            {"name": _title(text, index), "description": "Work of this kind."}
            for index, text in enumerate(chosen)
        ]

    def _prose(self, name: str) -> str:
        if name == "summary" and self.prompt.data:
            turn = _FIRST_TURN.search(self.prompt.data)
            # The worst summary there is: it repeats what the person wrote, injections and all.
            start = turn.group(1)[:300] if turn else ""
            return f"{start} (ref {self.prompt.reference})"
        if name == "name" and self.prompt.items:
            return _title(next(iter(self.prompt.items.values())), 0)
        return "Considered."


def _title(text: str, index: int) -> str:
    words = text.split()
    start = 0 if len(words) <= 6 else index % 2
    return " ".join(words[start : start + 6]).strip(" ,.;").capitalize() or f"Group {index}"
