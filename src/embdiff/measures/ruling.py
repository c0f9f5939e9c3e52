"""On which side of a limit a number lies, by its interval, or that so many queries do not tell.

One engine for whatever is decided: a number with its interval at any level (`Estimate`), limits, and Holm's method over
all that is decided together (`settled`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embdiff._plain import Number, Record
from embdiff.measures.statistics.power import ALPHA, HOPELESS, needed_queries, needed_range
from embdiff.measures.statistics.quantiles import student_quantile
from embdiff.measures.statistics.resampling import interval
from embdiff.records import Score

FEW_DIFFER = 5  # queries with a difference: with fewer their spread says nothing
_MOST_FREE = 1_000_000


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number as it was observed.

    Parameters
    ----------
    value : float
        NaN when undefined.
    n : int
        Queries (or rows) behind it.
    deviation : float
        Standard deviation per query, as far as the interval tells.
    within : callable
        ``within(level)``: the two ends of its interval at that level; NaN where there is none.
    reason : str or None
        Why it is undefined, or what is to be known of its interval.
    unseen : float
        The largest difference of a query like those of which too few were seen; 0 where enough were.
    differing : int
        How many of the queries differ, where that limits the interval.
    """

    value: float
    n: int
    deviation: float
    within: Callable[[float], tuple[float, float]]
    reason: str | None = None
    unseen: float = 0.0
    differing: int = 0


def of_score(score: Score) -> Estimate:
    """Return a score as it stands: its 95 % interval, at other levels wider as Student's quantiles are."""
    free = min(max(1, score.n - 1), _MOST_FREE)
    usual = student_quantile(0.975, free)

    def within(level: float) -> tuple[float, float]:
        factor = 1.0 if level == 1 - ALPHA else student_quantile(0.5 + level / 2, free) / usual
        return score.value - factor * (score.value - score.low), score.value + factor * (score.high - score.value)

    reason = score.reason if math.isnan(score.value) or math.isnan(score.low) else None
    return Estimate(score.value, score.n, (score.high - score.low) / (2 * usual) * math.sqrt(score.n), within, reason)


def of_differences(differences: npt.ArrayLike, width: float, *, seed: int) -> Estimate:
    """Return the mean of paired differences.

    Parameters
    ----------
    differences : array of float, shape (q,)
        NaN where a model has no value; such queries are left out.
    width : float
        The largest difference that the measure allows.
    seed : int
        Of resampling.

    Notes
    -----
    Of fewer than five queries that differ nothing can be resampled. Their share among all such queries is then at most
    the upper end of its exact interval, and each differs by at most ``width``: the mean lies within their product, for
    any distribution. Where none of n differs, that is about 3.7 / n at 95 %. Where all differ by the same, others may
    differ by as much as ``width`` either way, their share as large as none of n allows.

    References
    ----------
    Clopper and Pearson, Biometrika 26 (1934) 404; Hanley and Lippman-Hand, JAMA 249 (1983) 1743 (none of n).
    """
    array = np.asarray(differences, dtype=np.float64)
    known = array[~np.isnan(array)]
    n, differing = len(known), int(np.count_nonzero(known))
    if n == 0:
        return Estimate(math.nan, 0, math.nan, lambda _: (math.nan, math.nan), "no query has a value in both models")
    value = float(known.mean())
    deviation = float(known.std(ddof=1)) if n > 1 else math.nan
    if differing < FEW_DIFFER:

        def few(level: float) -> tuple[float, float]:
            reach = width * most_of(differing, n, (1 - level) / 2)
            return -reach, reach

        count = f"{differing:,} of {n:,} queries differ{'s' * (differing == 1)}" if differing else "no query differs"
        said = f"{count}: the interval is what so few can rule out"
        return Estimate(value, n, deviation, few, said, width, differing)

    def resampled(level: float) -> tuple[float, float]:
        low, high, method = interval(known, seed=seed, bounds=None, level=level)
        if method == "none":  # all differ by the same
            others = most_of(0, n, (1 - level) / 2)
            low, high = (value * (1 - others) + side * width * others for side in (-1, 1))
        return max(low, -width), min(high, width)

    return Estimate(value, n, deviation, resampled)


def most_of(seen: int, n: int, tail: float) -> float:
    """Return the largest share of which ``seen`` or fewer of n are seen with a chance of ``tail`` or more."""
    if seen >= n:
        return 1.0
    low, high = seen / n, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(seen, n, middle) > tail else (low, middle)
    return high


def _at_most(seen: int, n: int, share: float) -> float:
    if share >= 1.0:
        return 0.0
    return math.fsum(math.comb(n, each) * share**each * (1 - share) ** (n - each) for each in range(seen + 1))


@dataclass(frozen=True, kw_only=True)
class Bounded(Record):
    """A number with its interval, held against limits, and how many queries would tell where these do not.

    Parameters
    ----------
    value, low, high : float
        With the interval at ``level``.
    level : float
        That of Holm's step at which it was settled, or left open: 0.95 for one number, higher for each of several.
    n : int
        Queries.
    least, expected, most : int or None
        Queries in all that would tell, where it is open: for the end of the interval farthest from the limit, for the
        value as observed, and for the nearest end; None where none would, or there is no upper limit.
    reason : str or None
        Why it is undefined, or what is to be known of its interval.
    """

    value: Number
    low: Number
    high: Number
    level: float
    n: int
    least: int | None = None
    expected: int | None = None
    most: int | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Settled(Bounded):
    """What an interval says of some limits.

    Parameters
    ----------
    zone : int or None
        0: below the first limit, 1: between it and the next or above the last, ...; None where that is not known.
    """

    zone: int | None


def settled(
    estimates: Sequence[Estimate], limits: Sequence[Sequence[float]], *, error: float = ALPHA
) -> tuple[Settled, ...]:
    """Say in which zone each number lies, all of them together.

    Parameters
    ----------
    estimates : sequence of Estimate
    limits : sequence of sequence of float
        For each estimate its limits, ascending.
    error : float
        Chance that any of them is said to be in a wrong zone. Each interval has the level 1 - error / m, m those that
        are still open: Holm's method, the direction told by the side on which the interval lies.

    Returns
    -------
    tuple of Settled
        In the order given. A number that is undefined is open, and not counted.

    References
    ----------
    Holm, Scand. J. Statist. 6 (1979) 65; Shaffer, Ann. Statist. 8 (1980) 1342 (with directions).
    """
    waiting = [at for at, each in enumerate(estimates) if math.isfinite(each.value)]
    found: dict[int, tuple[int | None, float, float, float, int]] = {}
    while waiting:
        level, tests = 1 - error / len(waiting), len(waiting)
        for at in waiting:
            low, high = estimates[at].within(level)
            found[at] = (zone_of(low, high, limits[at]), low, high, level, tests)
        left = [at for at in waiting if found[at][0] is None]
        if len(left) == len(waiting):
            break
        waiting = left
    undefined = (None, math.nan, math.nan, 1 - error, 1)
    return tuple(_told(each, limits[at], *found.get(at, undefined)) for at, each in enumerate(estimates))


def zone_of(low: float, high: float, limits: Sequence[float]) -> int | None:
    """Return the number of limits, ascending, that lie below an interval, if none lies within; it may end at one."""
    if math.isnan(low) or math.isnan(high):
        return None
    zone = sum(limit <= low for limit in limits)
    return zone if zone == len(limits) or high <= limits[zone] else None


def _told(
    each: Estimate, limits: Sequence[float], zone: int | None, low: float, high: float, level: float, tests: int
) -> Settled:
    needed: tuple[int | None, int | None, int | None] = (None, None, None)
    if zone is None and math.isfinite(each.value):
        needed = _needed(each, limits, low, high, tests)
    least, expected, most = needed
    return Settled(
        zone=zone, value=each.value, low=low, high=high, level=level, n=each.n,
        least=least, expected=expected, most=most, reason=each.reason,
    )  # fmt: skip


def _needed(
    each: Estimate, limits: Sequence[float], low: float, high: float, tests: int
) -> tuple[int | None, int | None, int | None]:
    """Return how many queries would tell on which side of the nearest limit the value lies."""
    limit = min(limits, key=lambda one: abs(each.value - one))
    gap = each.value - limit
    if each.unseen:
        return _until_seen(each, abs(gap), tests)
    if not each.deviation > 0 or needed_queries(gap, each.deviation) > HOPELESS:
        return None, None, None
    return needed_range(each.n, gap, low - limit, high - limit, each.deviation, tests=tests)


def _until_seen(each: Estimate, gap: float, tests: int) -> tuple[int | None, int | None, int | None]:
    """Return how many queries would rule out what was not seen, or show enough that differ."""
    if each.differing:
        enough = -(-each.n * FEW_DIFFER // each.differing)
        return (each.n + 1, enough, None) if enough <= HOPELESS else (None, None, None)
    share = gap / each.unseen
    if not 0.0 < share < 1.0:
        return None, None, None
    count = math.ceil(math.log(ALPHA / (2 * tests)) / math.log1p(-share))
    return (count, count, None) if count <= HOPELESS else (None, None, None)
