"""Engines by name, from dbt's variables. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from economic_index.engines.base import Engine
from economic_index.engines.ledger import Ledger
from economic_index.engines.usage import current_run
from economic_index.errors import UserError
from economic_index.paths import ledger_file, usage_file, warehouse

if TYPE_CHECKING:
    from economic_index.labelling.task_space import TaskSpace

ENGINES = ("local", "anthropic", "replay")
TAXONOMY_ENGINES = ("local", "anthropic")
MOST_TASKS = 3


@dataclass(frozen=True)
class EngineSettings:
    """``vars.engine``, ``models``, ``mode``, ``max_cost`` (US dollars), ``max_calls``, ``max_tasks`` and
    ``taxonomy_engine`` of one run.

    ``engine`` may be ``replay:local`` or ``replay:anthropic`` where a ledger holds answers of both.
    """

    engine: str = "local"
    models: Mapping[str, str] = field(default_factory=dict)
    mode: str = "direct"
    max_cost: float | None = None
    max_calls: int | None = None
    show_progress: bool = True
    max_tasks: int = 1
    taxonomy_engine: str = "local"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> EngineSettings:
        """Settings from dbt's variables, which may arrive as text.

        Raises:
            UserError: an unknown engine, a limit that is not a positive number, or more tasks than three.
        """
        name = str(values.get("engine") or "local")
        base, _, recorded = name.partition(":")
        if base not in ENGINES or (recorded and (base != "replay" or recorded not in ("local", "anthropic"))):
            raise UserError(f"vars.engine is {name!r}; use one of {', '.join(ENGINES)}.")
        builder = str(values.get("taxonomy_engine") or "local")
        if builder not in TAXONOMY_ENGINES:
            raise UserError(f"vars.taxonomy_engine is {builder!r}; use one of {', '.join(TAXONOMY_ENGINES)}.")
        return cls(
            name,
            _models(values.get("models")),
            str(values.get("mode") or "direct"),
            _limit(values, "max_cost", float),
            _limit(values, "max_calls", int),
            max_tasks=_max_tasks(values.get("max_tasks")),
            taxonomy_engine=builder,
        )


def _max_tasks(value: Any) -> int:
    if value is None or value == "":
        return 1
    text = str(value).strip()
    if isinstance(value, bool) or text not in [str(n) for n in range(1, MOST_TASKS + 1)]:
        raise UserError(f"vars.max_tasks is {text[:20]!r}; use a whole number from 1 to {MOST_TASKS}.")
    return int(text)


def _models(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        try:
            value = json.loads(value.replace("'", '"')) if value.strip() else {}
        except ValueError:
            value = None
    if value is None or value == {}:
        return {}
    if not isinstance(value, Mapping):
        raise UserError("vars.models is not a mapping from stage to model; write it like {default: NAME}.")
    return {str(stage): str(model) for stage, model in value.items()}


def _limit(values: Mapping[str, Any], name: str, kind: type) -> Any:
    value = values.get(name)
    if value is None or value in ("", "None", "null"):
        return None
    try:
        limit = kind(value)
    except (TypeError, ValueError):
        limit = 0
    if limit <= 0:
        raise UserError(f"vars.{name} is not a positive number; give one, or null for no limit.")
    return limit


def make_engine(
    settings: EngineSettings, space: TaskSpace | None = None, ledger: Ledger | None = None
) -> Engine:
    """The engine that ``settings`` name; ``space`` is needed by ``local`` for tasks, ``ledger`` by
    ``replay``.

    Raises:
        UserError: an unknown engine, a missing key or model, an unusable artefact, nothing to replay.
    """
    base, _, recorded = settings.engine.partition(":")
    if base == "local":
        from economic_index.engines.local.engine import LocalEngine

        return LocalEngine(space)
    if base == "anthropic":
        return _anthropic(settings)
    if base == "replay":
        from economic_index.engines.replay import ReplayEngine

        name = recorded or _recorded(ledger)
        inner = EngineSettings(name, settings.models, settings.mode)
        return ReplayEngine(make_engine(inner, space))
    raise UserError(f"vars.engine is {settings.engine!r}; use one of {', '.join(ENGINES)}.")


def _anthropic(settings: EngineSettings) -> Engine:
    from economic_index.engines.anthropic.engine import AnthropicEngine
    from economic_index.engines.anthropic.settings import make_settings

    return AnthropicEngine(
        make_settings(
            settings.models,
            settings.mode,
            settings.max_cost,
            settings.max_calls,
            state=warehouse() / "batches.sqlite" if settings.mode == "batch" else None,
            show_progress=settings.show_progress,
            usage=usage_file(),
            run_id=current_run(),
        )
    )


def make_taxonomy_engine(settings: EngineSettings) -> Engine | None:
    """Who judges while the task hierarchy is built: None for ``taxonomy_engine: local``.

    With ``engine: replay`` the answers come from the ledger alone.

    Raises:
        UserError: unusable models, mode or limits. A key is not looked for before something is asked.
    """
    if settings.taxonomy_engine == "local":
        return None
    engine = _anthropic(settings)
    if settings.engine.partition(":")[0] == "replay":
        from economic_index.engines.replay import ReplayEngine

        return ReplayEngine(engine)
    return engine


def _recorded(ledger: Ledger | None) -> str:
    """The one engine whose answers the ledger holds."""
    names: set[str] = set()
    if ledger is not None:
        names = {origin.get("engine", "") for origin in ledger.origins()} & {"local", "anthropic"}
    elif ledger_file().exists():
        with Ledger(ledger_file()) as opened:
            return _recorded(opened)
    if len(names) == 1:
        return names.pop()
    if not names:
        raise UserError(
            "The answer ledger is empty, so there is nothing to replay; run with another engine first."
        )
    raise UserError(
        "The answer ledger holds answers of the engines anthropic and local; "
        "set engine to replay:anthropic or replay:local."
    )


def engine_identity(run: Mapping[str, Any]) -> dict[str, str]:
    """What the configured engines say of themselves, for a release's identity; asks nothing and needs no key.

    Who built the hierarchy is part of it where that was not the default: what it built is in the taxonomy's hash
    already.
    """
    settings = EngineSettings.of(run)
    identity = dict(make_engine(settings).identity())
    builder = make_taxonomy_engine(settings)
    if builder is not None:
        from economic_index.taxonomy.anthropic_ import proposer_identity

        identity |= {f"taxonomy_{name}": value for name, value in proposer_identity(builder).items()}
    return identity
