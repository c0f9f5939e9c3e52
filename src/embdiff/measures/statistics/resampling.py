"""Intervals for means of per-query values, all from one draw: how often each query occurs in each resample.

Queries are resampled, their neighbours held fixed: an interval says what other queries of the same kind would give on
this corpus with these models. It does not speak of other corpora.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError
from embdiff.measures.statistics.quantiles import Doubles, student_quantile, wilson

Interval = tuple[float, float, str]
RESAMPLES = 4_000
FEW = 30  # values; below, there is nothing to resample
FEW_BOUNDED = 50  # of values within bounds, where Wilson's interval holds: fewer know too little of a long tail
SMALL = 500  # values; of fewer, resampling alone holds the mean of skewed ones in 93 to 94 %
STEPS = 32  # distinct values at most that count as a distribution with steps
STUDENTISED = 4_096  # values at most for the studentised bootstrap; skewness of more no longer moves the ends
_AT_ONCE = 2**21  # counts held at a time
_REMEMBERED = 2**26  # bytes of counts that are remembered for the next values of the same queries


def interval(
    values: npt.ArrayLike, *, seed: int, bounds: tuple[float, float] | None = (0.0, 1.0), level: float = 0.95
) -> Interval:
    """Return the interval of one mean, as `mean_intervals` does; by default of values between 0 and 1."""
    column = np.asarray(values, dtype=np.float64).reshape(-1, 1)
    return mean_intervals(column[~np.isnan(column[:, 0])], [bounds], seed=seed, level=level)[0]


def mean_intervals(
    values: npt.ArrayLike, bounds: Sequence[tuple[float, float] | None], *, seed: int, level: float = 0.95
) -> list[Interval]:
    """Return an interval for the mean of each column of per-query values, from one draw of resampling weights.

    Parameters
    ----------
    values : array of float, shape (n, m)
        A line per query, a column for each mean; NaN (undefined) is left out of its own column only.
    bounds : sequence of m (low, high) or None
        Lowest and highest value possible, where both are finite: the interval stays within, and small samples get an
        interval that is valid for every distribution between them.
    seed : int
        Of the draw: the same for all columns, so that intervals over the same queries move together.
    level : float
        Share of such intervals that hold the true mean.

    Returns
    -------
    list of (low, high, method), length m
        NaN where there is no interval. ``method`` is ``wilson`` when all values are equal or at a bound, or fewer than
        50 are known (rescaled to the bounds; conservative); without bounds ``student`` below 30, ``none`` when all are
        equal. Else ``bca``, widened for small samples (4 % at n = 50, 1 % at 200), for at most 32 distinct values
        within bounds, for more than 4,096 values, and where so few values differ that resamples often have none of
        them; else ``bootstrap-t``. Both with 4,000 resamples; below 500 values neither end is nearer to the mean than
        Student's. ``none`` when there is no value.

    Raises
    ------
    ParameterError
        When a value is infinite or out of bounds, or the level is not in (0, 1).

    Notes
    -----
    Each resample draws n of the n queries with replacement; its means are one matrix product of these counts with all
    values (and, for the studentised bootstrap, with their squares). Values with a long tail (ranks, second-order
    cosines) need the studentised bootstrap: at n = 50 BCa covers 92 % of their means where it covers 94 %
    (docs/calibration.md); where values have no long tail the two agree. Resampling errs on the side of the long tail,
    Student's interval on the other: of 50 to 499 skewed values both ends together hold 94.7 to 96.3 % of the means,
    each alone 93 to 95 %, for 1 to 8 % of width. Of 10 to 40 graded values resampling holds
    the mean of ranks and second-order cosines in 82 to 93 %, Wilson's interval any mean in 94 % or more, at one and a
    half to twice the width.

    References
    ----------
    Wilson, JASA 22 (1927) 209; Student, Biometrika 6 (1908) 1; Efron, JASA 82 (1987) 171 (BCa); Hesterberg, Am. Stat.
    69 (2015) 371 (widening); Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 12; Hall, Ann.
    Statist. 16 (1988) 927 (studentised).
    """
    array = np.asarray(values, dtype=np.float64)
    if not 0.0 < level < 1.0:
        raise ParameterError(f"The level of an interval must be between 0 and 1. Got {level:g}. Pass 0.95 for 95 %.")
    columns = [_Column(array[:, at], each, level) for at, each in enumerate(bounds)]
    waiting = [column for column in columns if column.within is None]
    if waiting:
        away = np.stack([column.away for column in waiting], axis=1)
        for column, shift, deviation in zip(waiting, *_moments(away, seed), strict=True):
            column.resampled(shift, deviation)
    return [column.within for column in columns if column.within is not None]


class _Column:
    """The values of one mean on the way to their interval."""

    def __init__(self, values: Doubles, bounds: tuple[float, float] | None, level: float) -> None:
        known = ~np.isnan(values)
        self.values, self.bounds, self.level = _within(values[known], bounds), bounds, level
        self.within = self._without_resampling()
        if self.within is None:
            self.mean = float(self.values.mean())
            self.away = np.where(known, values - self.mean, np.nan)

    def _without_resampling(self) -> Interval | None:
        values, n = self.values, len(self.values)
        if n == 0:
            return math.nan, math.nan, "none"
        equal = bool((values == values[0]).all())
        if self.bounds is not None and (n < FEW_BOUNDED or equal or np.isin(values, self.bounds).all()):
            low, width = self.bounds[0], self.bounds[1] - self.bounds[0]
            share = min(1.0, max(0.0, (float(values.mean()) - low) / width))
            ends = wilson(share, n, level=self.level)
            return low + width * ends[0], low + width * ends[1], "wilson"
        if equal:
            return math.nan, math.nan, "none"
        if n < FEW:
            half = self._student()
            return float(values.mean()) - half, float(values.mean()) + half, "student"
        return None

    def _student(self) -> float:
        """Return half the width of Student's interval."""
        n = len(self.values)
        return student_quantile(0.5 + self.level / 2, n - 1) * float(self.values.std(ddof=1)) / math.sqrt(n)

    def resampled(self, shift: Doubles, deviation: Doubles) -> None:
        """Take the shift of the mean and the standard deviation of each resample, both (RESAMPLES,)."""
        ends, method = None, "bootstrap-t"
        steps = self.bounds is not None and len(np.unique(self.values)) <= STEPS
        if len(self.values) <= STUDENTISED and not steps:
            ends = self._studentised(shift, deviation)
        if ends is None:
            ends, method = self._bca(shift), "bca"
        if len(self.values) < SMALL:
            half = self._student()
            ends = min(ends[0], -half), max(ends[1], half)
        low, high = self.bounds or (-math.inf, math.inf)
        self.within = max(low, self.mean + ends[0]), min(high, self.mean + ends[1]), method

    def _studentised(self, shift: Doubles, deviation: Doubles) -> tuple[float, float] | None:
        """Divide every shift by its own standard error.

        The quantiles of that ratio know of skewness what those of the shift do not: a sample of 50 that missed the
        long tail has too small a mean and too small a standard error at once. None when so many resamples have equal
        values that an end would be infinite: a few values out of many decide.
        """
        largest = float(np.nanmax(np.abs(self.away)))
        steady = deviation <= 1e-7 * largest
        # A resample of equal values lies infinitely many of its own standard errors away, or none if at the mean.
        ratio = np.where(np.abs(shift) <= 1e-12 * largest, 0.0, np.copysign(math.inf, shift))
        np.divide(shift, deviation, out=ratio, where=~steady)
        # "higher" and "lower" take a value that was drawn: nothing is interpolated with infinity.
        low = float(np.quantile(ratio, 0.5 - self.level / 2, method="lower"))
        high = float(np.quantile(ratio, 0.5 + self.level / 2, method="higher"))
        if not (math.isfinite(low) and math.isfinite(high)):
            return None
        scale = float(self.values.std(ddof=1))
        return -high * scale, -low * scale

    def _bca(self, shift: Doubles) -> tuple[float, float]:
        """Return the ends of the bias-corrected and accelerated bootstrap."""
        n, away = len(self.values), self.values - self.mean
        # Half of the ties counts as below, as the distribution may have steps; rounding must not decide what is a tie.
        ties = np.abs(shift) < max(1e-12, n * 2.0**-53) * float(np.abs(away).max())
        below = (np.count_nonzero((shift < 0) & ~ties) + 0.5 * np.count_nonzero(ties)) / len(shift)
        normal = NormalDist()
        bias = normal.inv_cdf(min(max(below, 0.5 / len(shift)), 1 - 0.5 / len(shift)))
        acceleration = float((away**3).sum()) / (6 * float((away**2).sum()) ** 1.5)  # jackknife, of a mean
        # Resampling makes small samples look too steady; Hesterberg's correction puts Student's quantile in its place.
        wide = normal.cdf(math.sqrt(n / (n - 1)) * student_quantile(0.5 + self.level / 2, n - 1))
        ends = []
        for tail in (1 - wide, wide):
            z = bias + normal.inv_cdf(tail)
            ends.append(normal.cdf(bias + z / (1 - acceleration * z)))
        low, high = np.quantile(shift, ends)
        return float(low), float(high)


def _within(values: Doubles, bounds: tuple[float, float] | None) -> Doubles:
    """Return the values, which may be out of bounds by rounding only."""
    low, high = bounds or (-math.inf, math.inf)
    slack = 1e-9 * (high - low) if bounds else 0.0
    inside = np.isfinite(values) & (values >= low - slack) & (values <= high + slack)
    if not inside.all():
        raise ParameterError(
            f"Values of an interval must be finite and lie in [{low:g}, {high:g}]. Got {values[~inside][0]:g}. "
            "Pass undefined values as NaN, or other bounds."
        )
    return np.clip(values, low, high)


def _moments(away: Doubles, seed: int) -> tuple[Doubles, Doubles]:
    """Return shift and standard deviation of each resample of each column (n, m), both (m, RESAMPLES).

    A resample draws queries, not values: of a column with unknown values it has those that were drawn. One without
    any stays at the mean.
    """
    known = ~np.isnan(away)
    values = _exactly_summable(np.nan_to_num(away))
    whole, m = bool(known.all()), away.shape[1]
    table = np.concatenate(
        [values, _exactly_summable(values**2), *([] if whole else [known.astype(np.float64)])], axis=1
    )
    sums = np.concatenate([counts.astype(np.float64) @ table for counts in _counts(len(away), seed)]).T
    first, second = sums[:m], sums[m : 2 * m]
    drawn = np.maximum(1.0, sums[2 * m :]) if not whole else np.full((m, 1), float(len(away)))
    shift = first / drawn
    deviation = np.sqrt(np.maximum(0.0, second - first * shift) / np.maximum(1.0, drawn - 1))
    return shift, deviation


def _exactly_summable(values: Doubles) -> Doubles:
    """Round each column of (n, m) to so coarse a grid that n draws from it add up without any rounding.

    Then the order of addition does not matter: a column has the same resamples beside whatever other columns, in any
    library for matrix products, on any processor (Demmel and Nguyen, "Fast Reproducible Floating-Point Summation",
    2013). What is lost is below n 2^-53 of the largest value.
    """
    largest = np.abs(values).max(axis=0)
    grid = np.exp2(np.ceil(np.log2(np.where(largest > 0, largest, 1.0) * len(values))) - 53)
    rounded: Doubles = np.round(values / grid) * grid
    return rounded


def _counts(n: int, seed: int) -> Iterator[npt.NDArray[Any]]:
    """Yield how often each of n queries occurs in each of the resamples, blocks of (r, n)."""
    if n * RESAMPLES <= _REMEMBERED:
        return iter(_remembered(n, seed))
    return _drawn(n, seed)


@lru_cache(maxsize=2)
def _remembered(n: int, seed: int) -> tuple[npt.NDArray[Any], ...]:
    return tuple(_drawn(n, seed))


def _drawn(n: int, seed: int) -> Iterator[npt.NDArray[Any]]:
    rng, step = np.random.default_rng(seed), max(1, _AT_ONCE // n)
    for start in range(0, RESAMPLES, step):
        size = min(step, RESAMPLES - start)
        drawn = rng.integers(0, n, (size, n))
        drawn += np.arange(size)[:, None] * n
        # No query is drawn more than 255 times: of many the chance is below 1e-500, of up to 255 there is none.
        yield np.bincount(drawn.ravel(), minlength=size * n).astype(np.uint8).reshape(size, n)
