"""The one error type that users see."""

from __future__ import annotations

from types import TracebackType


class UserError(Exception):
    """Something the user can mend. The message is one sentence: what is wrong, where, what to do.

    It never holds a value of a conversation. ``__traceback__`` reads as ``None``, and the error that was being
    handled is not its context, so that dbt, which prints the formatted traceback of a failing Python model with
    everything that led to it, prints the sentence alone.
    """

    exit_code = 1

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.__suppress_context__ = True

    @property  # type: ignore[misc]
    def __traceback__(self) -> TracebackType | None:  # type: ignore[override]
        return None

    @__traceback__.setter
    def __traceback__(self, value: TracebackType | None) -> None:
        pass


UserError.__module__ = "builtins"


class RefusedError(UserError):
    """A rule of the project forbids the action (exit code 3): nothing was written."""

    exit_code = 3


RefusedError.__module__ = "builtins"
