"""Intervals for the mean of per-query values from 0 to 1: shares of neighbours, hits, graded measures."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError
from embdiff.measures.inference import FEW, Doubles, wilson
from embdiff.measures.resampling import mean_interval

RESAMPLES = 4_000
MANY = 32  # distinct values; drawing how often each occurs costs more than drawing the values from there on
_COUNTS = 2**22  # multinomial counts held at a time


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
    method : {"wilson", "bca", "bootstrap-t", "none"}
        ``wilson`` when all values are 0 or 1, all are equal, or fewer than 30 are left; else ``bca`` with 4,000
        resamples, widened for small samples (6 % at n = 30, 1 % at 200), where there are at most 32 distinct values,
        and `mean_interval` where there are more; ``none`` when there is no value.

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
    if len(distinct) > MANY:
        return mean_interval(array, seed=seed, bounds=(0.0, 1.0), level=level)
    return *_bca(distinct, counts, seed, level), "bca"


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
