"""Claude as the engine: direct calls and Message Batches behind the seam of
``economic_index.engines.base``."""

from economic_index.engines.anthropic.engine import AnthropicEngine, Question
from economic_index.engines.anthropic.settings import Settings, make_settings

__all__ = ["AnthropicEngine", "Question", "Settings", "make_settings"]
