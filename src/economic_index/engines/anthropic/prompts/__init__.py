"""Prompts as versioned files: front matter (version, what of the paper it serves, options), then the text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files

from economic_index.errors import UserError

_FLAGS = ("scratchpad", "confidence", "summary")


@dataclass(frozen=True)
class Prompt:
    """One prompt file.

    ``layout`` ``system``: the questions and their options stand in the static part, which is cached;
    ``user``: they stand before the material. ``options`` ``ids``: an answer names option ids; ``codes``: it
    gives the place of the option in the list, which keeps the schema small and the same for every list of
    that length.
    """

    name: str
    version: str
    serves: str
    text: str
    layout: str = "user"
    options: str = "ids"
    scratchpad: bool = False
    confidence: bool = False
    summary: bool = False
    max_tokens: int = 256
    kind: str = "label"


@lru_cache(maxsize=1)
def read_prompts() -> dict[str, Prompt]:
    """All prompts by file name.

    Raises:
        UserError: a prompt file has no front matter or an unknown key.
    """
    prompts = {}
    for entry in sorted(files(__package__).iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".md"):
            name = entry.name.removesuffix(".md")
            prompts[name] = _parse(name, entry.read_text(encoding="utf-8"))
    return prompts


def prompt_hashes() -> dict[str, str]:
    """First 16 hex digits of each prompt's SHA-256, by name: what a release manifest says of the prompts."""
    return {p.name: sha256(repr(p).encode()).hexdigest()[:16] for p in read_prompts().values()}


def _parse(name: str, raw: str) -> Prompt:
    head, marker, text = raw.removeprefix("---\n").partition("\n---\n")
    if not marker:
        raise UserError(
            f"The prompt file {name}.md has no front matter between lines of ---; restore the file."
        )
    values = dict(line.partition(":")[::2] for line in head.splitlines())
    values = {key.strip(): value.strip() for key, value in values.items()}
    unknown = sorted(set(values) - {"version", "serves", "layout", "options", "max_tokens", "kind", *_FLAGS})
    if unknown or not {"version", "serves"} <= set(values):
        raise UserError(
            f"The front matter of the prompt file {name}.md needs version and serves, and no unknown key."
        )
    return Prompt(
        name=name,
        version=values["version"],
        serves=values["serves"],
        text=text.strip(),
        layout=values.get("layout", "user"),
        options=values.get("options", "ids"),
        max_tokens=int(values.get("max_tokens", 256)),
        kind=values.get("kind", "label"),
        scratchpad=values.get("scratchpad") == "true",
        confidence=values.get("confidence") == "true",
        summary=values.get("summary") == "true",
    )
