"""Differentially private task counts: bound each account, add noise through OpenDP.

The promise (docs/differential_privacy.md) is about one account and one window: with or without all
conversations of an account, every set of possible outputs has nearly the same probability, by a factor of at
most exp(epsilon).

* Every account counts with at most C of its classified conversations: those with the smallest keyed hash of
  their id. Which ones they are depends on that account alone, so one account moves the counts by at most C in
  sum.
* The list of tasks is public and counted in full, zeros included: no cell shows by its presence that it was
  used.
* The noise is OpenDP's discrete Laplace over the whole vector at L1 distance C, from OpenDP's own secure
  generator. There is no seed.
* Everything after that (sums over occupations, shares) is computed from the noisy counts and public data
  alone.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import duckdb

from economic_index.errors import UserError
from economic_index.keys import keyed_digest

MAX_CONVERSATIONS_PER_ACCOUNT = 10_000
MIN_EPSILON = 0.001
_BATCH = 50_000
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Mechanism:
    """Discrete Laplace noise on a vector of counts.

    Attributes:
        max_conversations: C, the L1 distance between the counts with and without one account.
        scale: of the noise, in conversations: C / epsilon, or the next float above where that rounds down.
        epsilon: what OpenDP's privacy map gives for C at this scale; at most what was asked for.
        opendp_version: of the library that draws.
    """

    max_conversations: int
    scale: float
    epsilon: float
    opendp_version: str
    _draw: Any

    def release(self, counts: Sequence[int]) -> list[int]:
        """Counts plus independent noise; the same length and order. Values can be negative."""
        return [int(value) for value in self._draw(list(counts))]


def make_mechanism(max_conversations: int, epsilon: float) -> Mechanism:
    """The noise for ``epsilon`` when one account moves the counts by at most ``max_conversations`` in sum.

    Raises:
        UserError: epsilon or C is out of range, or the package opendp is not installed.
    """
    if not (math.isfinite(epsilon) and epsilon >= MIN_EPSILON):
        raise UserError(f"Epsilon has to be a number from {MIN_EPSILON} up; give --epsilon 1, for example.")
    if not 1 <= max_conversations <= MAX_CONVERSATIONS_PER_ACCOUNT:
        raise UserError(
            "The conversations counted of one account have to be between 1 and "
            f"{MAX_CONVERSATIONS_PER_ACCOUNT:,}; give --max-conversations-per-account 3, for example."
        )
    dp, opendp_version = _opendp()
    # `contrib` holds what OpenDP has not finished vetting, the Laplace mechanism among it; the docs say so.
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64")
    scale = max_conversations / epsilon
    draw = dp.m.make_laplace(*space, scale)
    step = math.ulp(scale)
    while not draw.check(max_conversations, epsilon):
        scale, step = scale + step, 2 * step
        draw = dp.m.make_laplace(*space, scale)
    return Mechanism(max_conversations, scale, float(draw.map(max_conversations)), opendp_version, draw)


def _opendp() -> tuple[Any, str]:
    try:
        import opendp.prelude as dp
    except ImportError as error:
        raise UserError(
            "The differential-privacy mode needs the package opendp, which is not installed; run pip "
            "install 'economic-index[dp]'."
        ) from error
    return dp, version("opendp")


def bound_accounts(
    rows: Iterable[tuple[str | None, str, int]], max_conversations: int, key: bytes
) -> dict[str | None, list[tuple[bytes, int]]]:
    """Keep of each account the conversations with the smallest keyed hash.

    Args:
        rows: (account, conversation id, task id); ``None`` is one account.
        max_conversations: C, at least 1.
        key: the sampling key, so that nobody can choose ids that are always kept.

    Returns:
        account to at most C pairs (hash, task id), smallest first; they depend on its rows alone.
    """
    # A heap with the largest kept hash on top (as a negative number): never more than C rows of an account.
    kept: defaultdict[str | None, list[tuple[int, int]]] = defaultdict(list)
    for account, conversation_id, task_id in rows:
        entry = (-int.from_bytes(keyed_digest(key, "dp-bound", conversation_id), "big"), task_id)
        heap = kept[account]
        if len(heap) < max_conversations:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)
    return {
        account: [
            ((-negative).to_bytes(32, "big"), task_id) for negative, task_id in sorted(heap, reverse=True)
        ]
        for account, heap in kept.items()
    }


def bounded_counts(connection: duckdb.DuckDBPyConnection, max_conversations: int, key: bytes) -> Counter[int]:
    """Task to the number of conversations that remain after bounding; tasks without any are left out.

    Reads the classified rows of ``facts.fct_conversations``. Accounts with at most C conversations are
    counted in SQL; only the rows of the others are hashed.

    Args:
        connection: one on which the private database is attached as ``private_side``.
        max_conversations: C.
        key: the sampling key.
    """
    connection.execute(
        """
        create or replace temp table dp_sized as
        select account_key, conversation_id, task_id, count(*) over (partition by account_key) as n_of_account
        from private_side.facts.fct_conversations
        where outcome = 'classified' and task_id in (select task_id from private_side.reference.tasks)
        """
    )
    try:
        small = connection.execute(
            "select task_id, count(*) from dp_sized where n_of_account <= ? group by task_id",
            [max_conversations],
        ).fetchall()
        counts: Counter[int] = Counter({int(task_id): int(n) for task_id, n in small})
        connection.execute(
            "select account_key, conversation_id, task_id from dp_sized where n_of_account > ?",
            [max_conversations],
        )
        for pairs in bound_accounts(_stream(connection), max_conversations, key).values():
            counts.update(task_id for _, task_id in pairs)
    finally:
        connection.execute("drop table if exists dp_sized")
    return counts


def _stream(connection: duckdb.DuckDBPyConnection) -> Iterable[tuple[str | None, str, int]]:
    while rows := connection.fetchmany(_BATCH):
        yield from (
            (account, str(conversation_id), int(task_id)) for account, conversation_id, task_id in rows
        )


@dataclass(frozen=True)
class NoiseError:
    """Size of the noise in one number, in conversations.

    Attributes:
        expected: mean of the absolute value.
        bound_95: not exceeded in 95 of 100 draws.
    """

    expected: float
    bound_95: float


def leaf_error(scale: float) -> NoiseError:
    """Error of a single discrete Laplace draw, exact: P(x) is proportional to exp(-abs(x) / scale)."""
    decay = math.exp(-1 / scale)
    # P(abs(x) > b) = 2 decay^(b + 1) / (1 + decay): the smallest whole b where that is at most 0.05.
    bound = max(0, math.ceil(-scale * math.log(0.025 * (1 + decay))) - 1)
    return NoiseError(1 / math.sinh(1 / scale) if scale > 1 / 700 else 0.0, float(bound))


def sum_error(weights: Sequence[float], scale: float) -> NoiseError:
    """Error of a weighted sum of independent draws, as in a roll-up.

    One weight is exact. Otherwise the normal distribution with the exact variance, corrected for the exact
    fourth cumulant (Edgeworth, Cornish and Fisher); where the sum is more peaked than one Laplace draw,
    bounds that always hold (the standard deviation, and Chebyshev's 4.47 of them).
    """
    weights = [weight for weight in weights if weight]
    if not weights:
        return NoiseError(0.0, 0.0)
    leaf = leaf_error(scale)
    if len(weights) == 1:
        return NoiseError(weights[0] * leaf.expected, weights[0] * leaf.bound_95)
    decay, rest = math.exp(-1 / scale), -math.expm1(-1 / scale)
    variance = 2 * decay / rest**2 * math.fsum(w**2 for w in weights)
    if variance == 0:
        return NoiseError(0.0, 0.0)
    fourth = 2 * decay * (1 + 4 * decay + decay**2) / rest**4 * math.fsum(w**4 for w in weights)
    sigma, excess = math.sqrt(variance), fourth / variance**2
    if excess > 3:
        return NoiseError(min(sigma, leaf.expected * math.fsum(weights)), math.sqrt(20) * sigma)
    corrected = _NORMAL_95 + (_NORMAL_95**3 - 3 * _NORMAL_95) * excess / 24
    # Half a step on top, since sums of whole draws move in steps.
    bound = sigma * corrected + max(weights) / 2
    return NoiseError(sigma * math.sqrt(2 / math.pi) * (1 - excess / 24), bound)
