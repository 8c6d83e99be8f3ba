"""Whole counts behind published percentages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

LARGEST_TOTAL = 10_000_000
# 100 * count / total is rounded twice on the way to a double, and once more when it is printed in full.
RELATIVE_ERROR = 1e-14
WHOLE_WITHIN = 1e-6


@dataclass(frozen=True)
class Counts:
    """Counts recovered from percentages.

    Attributes:
        counts: one whole number per percentage, in the same order.
        total: the number that 100 per cent stands for.
        source: ``digits`` (recovered exactly), ``metadata`` or ``given``.
        is_exact: every percentage is a whole count over ``total``, up to the digits of a double.
    """

    counts: tuple[int, ...]
    total: int
    source: str
    is_exact: bool


def recover_total(percentages: Sequence[float], largest: int = LARGEST_TOTAL) -> int | None:
    """The smallest total of which every percentage is a whole count, or None where the digits do not tell.

    Each percentage printed in full is 100 * c / N in lowest terms; N is the least common multiple of the
    denominators. Of percentages cut to a few decimals every one is a whole count over a power of ten, so a
    total made of twos and fives alone says nothing. If all counts of a release share a divisor (rounded to
    base 5, say), the smallest total is that much too small: then the release must name it.

    Args:
        percentages: numbers in 0..100.
        largest: totals above this are not looked for.
    """
    total = 1
    for percentage in percentages:
        if percentage == 0:
            continue
        share = Fraction(percentage) / 100
        guess = share.limit_denominator(largest)
        if guess == 0 or abs(guess - share) > Fraction(RELATIVE_ERROR) * share:
            return None
        total = math.lcm(total, guess.denominator)
        if total > largest:
            return None
    return None if is_power_of_ten_divisor(total) else total


def is_power_of_ten_divisor(total: int) -> bool:
    """Does ``total`` divide a power of ten, 1 included?"""
    for prime in (2, 5):
        while total % prime == 0:
            total //= prime
    return total == 1


def counts_over(percentages: Sequence[float], total: int, source: str) -> Counts:
    """``percentages`` of ``total`` as whole numbers, rounded to the nearest where they are not."""
    raw = [percentage * total / 100 for percentage in percentages]
    counts = tuple(round(value) for value in raw)
    is_exact = all(
        abs(value - count) <= max(WHOLE_WITHIN, RELATIVE_ERROR * total)
        for value, count in zip(raw, counts, strict=True)
    )
    return Counts(counts, total, source, is_exact)
