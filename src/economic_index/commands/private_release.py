"""``economic-index dp-release``: task counts with differential privacy, a product of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from economic_index.release.private_release import PrivateRelease


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("dp-release")(dp_release_command)


def dp_release_command(
    epsilon: Annotated[
        float, typer.Option(help="Privacy loss of this release; smaller is more private, noisier.")
    ],
    max_conversations_per_account: Annotated[
        int, typer.Option(help="At most so many conversations of an account are counted.", metavar="C")
    ],
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for dp-<id>/; ECONOMIC_INDEX_RELEASES or releases/ by default."),
    ] = None,
    max_epsilon: Annotated[
        float,
        typer.Option(
            envvar="ECONOMIC_INDEX_MAX_EPSILON", help="Limit of epsilon over all releases of the same window."
        ),
    ] = 1.0,
    allow_test_accounts: Annotated[
        bool,
        typer.Option(help="Release although every conversation has a surrogate account: for trials only."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Release noisy task counts with a promise per account; never beside exact tables of the window."""
    from economic_index.commands.audit import steps
    from economic_index.release.private_release import release_privately

    with steps("dp-release") as on_step:
        done = release_privately(
            epsilon=epsilon,
            max_conversations_per_account=max_conversations_per_account,
            max_epsilon=max_epsilon,
            output=output,
            allow_test_accounts=allow_test_accounts,
            on_step=on_step,
        )
    typer.echo(json.dumps(done.as_dict(), ensure_ascii=False) if as_json else describe(done))


def describe(done: PrivateRelease) -> str:
    """The outcome for people, a few lines."""
    lines = [
        f"Release {done.release_id}: {done.n_files} files, {done.n_bytes:,} bytes",
        f"  epsilon {done.epsilon:g}, at most {done.max_conversations_per_account} conversations an "
        f"account, noise scale {done.noise_scale:g}",
        f"  the window has spent {done.epsilon_spent:g} of {done.max_epsilon:g}",
    ]
    for row in done.accuracy:
        noise, bound = row["expected_absolute_error_median"], row["error_bound_95_median"]
        lines.append(
            f"  {row['table_name']:<30}{row['n_rows']:>7,} rows, noise {noise:,.1f} on average, within "
            f"{bound:,.1f} in 95 of 100 (median row)"
        )
    return "\n".join([*lines, str(done.folder)])
