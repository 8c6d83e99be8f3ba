"""How to ask: what a run of the engine is configured with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from economic_index.engines.anthropic.money import Budget, PriceTable
from economic_index.engines.anthropic.render import MAX_CONVERSATION_TOKENS
from economic_index.engines.usage import UsageStore
from economic_index.errors import UserError

Mode = Literal["direct", "batch"]
KEY_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
DEFAULT_URL = "https://api.anthropic.com"


@dataclass(frozen=True)
class Settings:
    """Everything but the key, which only the environment holds. Times in seconds.

    ``models``: a model for each stage, ``default`` for the others. ``concurrency``: most calls in flight; the
    gate finds out how many the server takes. ``state``: SQLite file that remembers submitted batches. ``usage``:
    SQLite file in which the run ``run_id`` records what it uses; None records nothing.
    """

    models: Mapping[str, str]
    mode: Mode = "direct"
    budget: Budget = field(default_factory=Budget)
    prices: PriceTable = field(default_factory=PriceTable.read)
    state: Path | None = None
    usage: Path | None = None
    run_id: str = ""
    concurrency: int = 64
    attempts: int = 8
    timeout: float = 120.0
    deadline: float = 300.0
    backoff: float = 0.5
    longest_backoff: float = 30.0
    give_up_after: int = 50
    max_conversation_tokens: int = MAX_CONVERSATION_TOKENS
    batch_requests: int = 20_000
    batch_bytes: int = 200 * 1024 * 1024
    poll: float = 2.0
    longest_poll: float = 60.0
    batch_passes: int = 4
    show_progress: bool = False

    def model(self, stage: str) -> str:
        """The model for a stage; ``taxonomy`` names one for all four stages of the task hierarchy."""
        group = "taxonomy" if stage.startswith("taxonomy_") else "default"
        return self.models.get(stage) or self.models.get(group) or self.models["default"]


def make_settings(
    models: Mapping[str, str],
    mode: str = "direct",
    max_cost: float | None = None,
    max_calls: int | None = None,
    state: Path | None = None,
    show_progress: bool = False,
    usage: Path | None = None,
    run_id: str = "",
) -> Settings:
    """Settings from dbt's variables. With ``usage``, what ``run_id`` has spent before counts against the limits.

    Raises:
        UserError: no default model, an unknown mode, a budget in dollars without a price for the models.
    """
    if not models.get("default"):
        raise UserError("vars.models names no default model; add for example {default: claude-haiku-4-5}.")
    if mode not in get_args(Mode):
        raise UserError(f"vars.mode is {mode!r}; use one of {', '.join(get_args(Mode))}.")
    prices = PriceTable.read(price_file())
    if max_cost is not None:
        for model in dict.fromkeys(models.values()):
            prices.need(model)
    spent, calls = 0.0, 0
    if usage is not None and (max_cost is not None or max_calls is not None):
        with UsageStore(usage) as store:
            spent, calls = store.of_run(run_id)
    return Settings(
        models=dict(models),
        mode=cast(Mode, mode),
        budget=Budget(max_cost, max_calls, spent, calls),
        prices=prices,
        state=state,
        usage=usage,
        run_id=run_id,
        show_progress=show_progress,
    )


def price_file() -> Path | None:
    """The user's own price table, if ``ECONOMIC_INDEX_PRICES`` names one."""
    given = os.environ.get("ECONOMIC_INDEX_PRICES")
    return Path(given) if given else None


def check_environment() -> str:
    """Check key and address before anything is sent, and return the server's name for messages (no
    credentials).

    Raises:
        UserError: no key, a key that no header can carry, or an address that is not an http(s) URL.
    """
    keys = [os.environ.get(name, "").strip() for name in KEY_VARIABLES]
    if not any(keys):
        raise UserError(
            "The engine anthropic needs a key in the environment variable ANTHROPIC_API_KEY; set it, or "
            "use engine: local."
        )
    if any(not key.isascii() or not key.isprintable() or " " in key for key in keys if key):
        raise UserError("The key in ANTHROPIC_API_KEY holds characters that a key cannot have; set it anew.")
    url = os.environ.get("ANTHROPIC_BASE_URL") or DEFAULT_URL
    try:
        parts = urlsplit(url)
        name = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        parts, name = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(
            "ANTHROPIC_BASE_URL is not an address such as https://api.anthropic.com; correct or unset it."
        )
    return name
