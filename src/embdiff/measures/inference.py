"""Intervals and tests: how far a number could be from what more queries of the same kind would give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError

RESAMPLES = 4_000
FEW = 30  # below, the Wilson interval is used
_COUNTS = 2**22  # multinomial counts held at a time

Doubles = npt.NDArray[np.float64]


def interval(values: npt.ArrayLike, *, seed: int, level: float = 0.95) -> tuple[float, float, str]:
    """Return an interval for the mean of per-query values in [0, 1].

    Queries are resampled, their neighbours held fixed: the interval says what other queries of the same kind would
    give on this corpus with these models. It does not speak of other corpora.

    Parameters
    ----------
    values : array of float, shape (n,)
        One value per query, in [0, 1]; NaN (undefined) is left out.
    seed : int
        Seed of the bootstrap.
    level : float
        Share of such intervals that hold the true mean.

    Returns
    -------
    low, high : float
        NaN when there is no value.
    method : {"wilson", "bca", "none"}
        ``wilson`` when all values are 0 or 1, all are equal, or fewer than 30 are left; else ``bca`` with 4,000
        resamples, widened for small samples (6 % at n = 30, 1 % at 200); ``none`` when there is no value.

    References
    ----------
    Wilson, JASA 22 (1927) 209; Efron, JASA 82 (1987) 171; Hesterberg, Am. Stat. 69 (2015) 371.
    """
    array = np.asarray(values, dtype=np.float64).ravel()
    array = array[~np.isnan(array)]
    if array.size and not (array.min() >= 0.0 and array.max() <= 1.0):
        raise ParameterError(
            f"Values of an interval must lie in [0, 1]. Got {array.min():g} to {array.max():g}. Rescale them."
        )
    if not array.size:
        return math.nan, math.nan, "none"
    distinct, counts = np.unique(array, return_counts=True)
    if len(array) < FEW or len(distinct) == 1 or np.isin(distinct, (0.0, 1.0)).all():
        return *wilson(float(array.mean()), len(array), level=level), "wilson"
    return *_bca(distinct, counts, seed, level), "bca"


def wilson(mean: float, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval for a mean of ``n`` values in [0, 1].

    For shares of 0/1 values it is the usual one. For any variable in [0, 1] with mean p the variance is at most
    p (1 - p), so the same interval then covers more than its level: it is conservative (too wide), never too narrow by
    its variance.

    Returns
    -------
    low, high : float
        In [0, 1]; NaN for ``n`` = 0.

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927) 209.
    """
    if n == 0:
        return math.nan, math.nan
    z = NormalDist().inv_cdf(0.5 + level / 2)
    spread = z * math.sqrt(mean * (1 - mean) / n + (z / (2 * n)) ** 2)
    middle, divisor = mean + z * z / (2 * n), 1 + z * z / n
    low = 0.0 if mean == 0.0 else (middle - spread) / divisor
    high = 1.0 if mean == 1.0 else (middle + spread) / divisor
    return max(0.0, low), min(1.0, high)


def _bca(distinct: Doubles, counts: npt.NDArray[np.int64], seed: int, level: float) -> tuple[float, float]:
    """Bias-corrected and accelerated bootstrap of the mean of ``counts[i]`` times ``distinct[i]``."""
    n = int(counts.sum())
    mean = float(counts @ distinct) / n
    away = distinct - mean
    shifts = _resampled(away, counts, n, seed)
    # Half of the ties counts as below, as the distribution has steps; rounding must not decide what is a tie.
    ties = np.abs(shifts) < 1e-12
    below = (np.count_nonzero((shifts < 0) & ~ties) + 0.5 * np.count_nonzero(ties)) / RESAMPLES
    normal = NormalDist()
    bias = normal.inv_cdf(min(max(below, 0.5 / RESAMPLES), 1 - 0.5 / RESAMPLES))
    # The jackknife acceleration of a mean.
    acceleration = float(counts @ away**3) / (6 * float(counts @ away**2) ** 1.5)
    ends = []
    wide = _widened(level, n)
    for tail in ((1 - wide) / 2, (1 + wide) / 2):
        z = bias + normal.inv_cdf(tail)
        ends.append(normal.cdf(bias + z / (1 - acceleration * z)))
    low, high = mean + np.quantile(shifts, ends)
    return max(0.0, float(low)), min(1.0, float(high))


def _widened(level: float, n: int) -> float:
    """Return the level whose normal quantile is sqrt(n / (n - 1)) times the t quantile of ``level``.

    Resampling makes small samples look too steady; this is Hesterberg's correction (Am. Stat. 69 (2015) 371). The t
    quantile is expanded in 1 / (n - 1) (Fisher and Cornish 1960), good to four digits from n = 30.
    """
    z, free = NormalDist().inv_cdf(0.5 + level / 2), n - 1
    t = z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
    return 2 * NormalDist().cdf(math.sqrt(n / free) * t) - 1


def _resampled(away: Doubles, counts: npt.NDArray[np.int64], n: int, seed: int) -> Doubles:
    """Mean shift of each resample, (RESAMPLES,): drawn as counts of the distinct values, whatever n is."""
    rng = np.random.default_rng(seed)
    step = max(1, _COUNTS // len(away))
    parts = [
        rng.multinomial(n, counts / n, size=min(step, RESAMPLES - start)) @ away for start in range(0, RESAMPLES, step)
    ]
    return np.concatenate(parts) / n


def holm(p_values: Sequence[float] | Doubles) -> Doubles:
    """Adjust p-values for how many there are, by Holm's step-down method.

    Parameters
    ----------
    p_values : array of float, shape (m,)
        NaN (undefined) stays NaN and is not counted.

    Returns
    -------
    ndarray of float64, shape (m,)
        At most 1: reject where it is below 0.05, and the chance of any false rejection is at most 5 %, whatever the
        dependence between the tests.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979) 65.
    """
    array = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(array.shape, np.nan)
    known = np.flatnonzero(~np.isnan(array))
    order = known[np.argsort(array[known], kind="stable")]
    steps = array[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(order) else steps
    return adjusted
