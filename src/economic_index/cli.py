"""The command ``economic-index``: one module a command under ``economic_index.commands``."""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import iter_modules

import typer

from economic_index import commands
from economic_index.errors import UserError

app = typer.Typer(
    name="economic-index",
    help="Which work is an AI assistant used for? Conversations in, privacy-safe O*NET marts out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def register_commands() -> None:
    """Register every module of ``economic_index.commands`` that has ``register(app)``, in the order of their names."""
    for module in sorted(iter_modules(commands.__path__), key=lambda found: found.name.strip("_")):
        register = getattr(import_module(f"{commands.__name__}.{module.name}"), "register", None)
        if register is not None:
            register(app)


def main() -> None:
    """Entry point: a user error is one sentence on standard error and its exit code, never a traceback."""
    register_commands()
    try:
        app()
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"Error: the operating system refused: {error.strerror or error}{where}.", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Interrupted; what was answered is kept, run the command again to go on.", file=sys.stderr)
        sys.exit(130)
