"""How many queries it takes to tell a mean from a limit, with the spread that was seen."""

from __future__ import annotations

import math
from bisect import bisect_left

from embdiff.measures.statistics.quantiles import student_quantile

ALPHA, POWER = 0.05, 0.8
HOPELESS = 10_000  # more than anybody judges


def needed_queries(difference: float, deviation: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Return how many queries show a difference of this size with this power.

    The smallest n with ``(t(1 - alpha / 2) + t(power)) s / sqrt(n) <= |difference|``, t the quantiles of Student's
    distribution with n - 1 degrees of freedom (`paired.detectable_difference`, turned round), and so many that the
    randomisation test can reach alpha at all: 2 / 2^n < alpha.

    Parameters
    ----------
    difference : float
        Mean of the differences per query.
    deviation : float
        Their standard deviation, s.
    alpha : float
        Two-sided level.
    power : float

    Returns
    -------
    float
        A whole number; infinite for a difference of 0.
    """
    if difference == 0.0:
        return math.inf
    floor = max(2, math.floor(math.log2(2 / alpha)) + 1)
    relative = (deviation / difference) ** 2

    def enough(n: int) -> bool:
        factor = student_quantile(1 - alpha / 2, n - 1) + student_quantile(power, n - 1)
        return factor**2 * relative <= n

    sizes = range(floor, 1_000 * HOPELESS)
    place = bisect_left(sizes, True, key=enough)
    return sizes[place] if place < len(sizes) else math.inf


def needed_range(
    n: int, difference: float, low: float, high: float, deviation: float, *, tests: int = 1
) -> tuple[int, int, int | None]:
    """Return the least, the expected and the most queries, all of them counted, above ``n``.

    Parameters
    ----------
    n : int
        Queries that there are.
    difference, low, high : float
        As observed, with its interval; an end that is NaN counts as the difference.
    deviation : float
        Standard deviation of the differences.
    tests : int
        Among which Holm's method goes from alpha / tests to alpha: the least is for the end of the interval that is
        farthest from 0 and alpha, the others are for alpha / tests.

    Returns
    -------
    least, expected, most : int
        ``most`` is None where there is no upper limit: the difference may be about 0.
    """
    low, high = (difference if math.isnan(end) else end for end in (low, high))
    far, near = max(abs(low), abs(high)), 0.0 if low <= 0.0 <= high else min(abs(low), abs(high))
    least = needed_queries(far, deviation)
    expected, most = (needed_queries(size, deviation, alpha=ALPHA / tests) for size in (difference, near))
    more = n + 1
    return max(more, int(least)), max(more, int(expected)), None if most > HOPELESS else max(more, int(most))
