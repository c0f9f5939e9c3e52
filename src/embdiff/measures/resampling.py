"""Intervals for the mean of per-query values of any range and any number of distinct values.

`share_interval.interval` draws how often each distinct value occurs: right for overlaps, which have k + 1 values.
Values that are all different (RBO, nDCG, differences of two models) are resampled here, in a time that hardly grows
with their number.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError
from embdiff.measures.bootstrap_t import bootstrap_t, moments
from embdiff.measures.inference import FEW, Doubles, wilson

RESAMPLES = 4_000
STUDENTISED = 4_096  # values at most for the studentised bootstrap; skewness of more no longer moves the ends
MOST = 4_096  # values resampled one by one; beyond, in bins of neighbouring values
_BINS = 256
_TAIL = 64  # of these bins at each end hold one value: outliers keep their own


def mean_interval(
    values: npt.ArrayLike, *, seed: int, bounds: tuple[float, float] | None = None, level: float = 0.95
) -> tuple[float, float, str]:
    """Return an interval for the mean of per-query values.

    Queries are resampled, their neighbours held fixed: the interval says what other queries of the same kind would
    give on this corpus with these models. It does not speak of other corpora.

    Parameters
    ----------
    values : array of float, shape (n,)
        One value per query; NaN (undefined) is left out.
    seed : int
        Seed of the bootstrap.
    bounds : tuple of float, optional
        Lowest and highest value possible, where both are finite: the interval stays within, and small samples get an
        interval that is valid for every distribution between them.
    level : float
        Share of such intervals that hold the true mean.

    Returns
    -------
    low, high : float
        NaN when there is no interval.
    method : {"wilson", "student", "bootstrap-t", "bca", "none"}
        30 to 4,096 values: ``bootstrap-t`` with 4,000 resamples. More, or so few that differ that resamples often
        have none of them: ``bca``, widened for small samples as `share_interval.interval` does it. Below 30: ``wilson``
        (rescaled to the bounds; conservative) where there are bounds, else ``student`` (which takes the mean to be
        near normal). All values equal: ``wilson`` with bounds, else ``none``, as for a single value.

    Raises
    ------
    ParameterError
        When a value is infinite or out of bounds, or the level is not in (0, 1).

    Notes
    -----
    Values with a long tail (ranks, second-order cosines) need the studentised bootstrap: at n = 50 BCa covers 92 % of
    their means where it covers 94 % (docs/calibration.md); where values have no long tail the two agree.

    Above 4,096 values, they are sorted into 256 bins, the 64 lowest and 64 highest values each in its own: how many
    are drawn from a bin is exact, the sum within a bin is drawn from the normal distribution with its mean and
    variance. The bins hold nearly all of the variance and skewness, so this changes the ends by less than the noise of
    4,000 resamples does.

    References
    ----------
    `bootstrap_t`; Efron, JASA 82 (1987) 171 (BCa); Hesterberg, Am. Stat. 69 (2015) 371; Student, Biometrika 6 (1908) 1;
    Wilson, JASA 22 (1927) 209.
    """
    array = np.asarray(values, dtype=np.float64).ravel()
    array = array[~np.isnan(array)]
    _check(array, bounds, level)
    n = len(array)
    if n == 0:
        return math.nan, math.nan, "none"
    if n < FEW or (array == array[0]).all():
        return _few(array, bounds, level)
    low, high, method = _resampled(np.sort(array), seed, level)
    return (low, high, method) if bounds is None else (max(bounds[0], low), min(bounds[1], high), method)


def student_quantile(share: float, free: int) -> float:
    """Return the quantile of Student's t with ``free`` degrees of freedom.

    Parameters
    ----------
    share : float
        In (0, 1).
    free : int
        At least 1.

    Returns
    -------
    float
        To about 10 digits, by halving an interval on the distribution function.
    """
    if not 0.0 < share < 1.0 or free < 1:
        raise ParameterError(
            f"A quantile of Student's t needs a share between 0 and 1 and at least 1 degree of freedom. Got {share:g} "
            f"and {free}. Pass at least two values."
        )
    if share < 0.5:
        return -student_quantile(1 - share, free)
    low, high = 0.0, 2.0
    while _student_share(high, free) < share:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_share(middle, free) < share else (low, middle)
    return (low + high) / 2


def _student_share(t: float, free: int) -> float:
    """Distribution function at t >= 0: with u = sqrt(free) tan(x) the density becomes a power of the cosine."""
    end = math.atan(t / math.sqrt(free))
    nodes, weights = _LEGENDRE
    area = end / 2 * float(weights @ np.cos(end / 2 * (nodes + 1)) ** (free - 1))
    return 0.5 + area * math.exp(math.lgamma((free + 1) / 2) - math.lgamma(free / 2)) / math.sqrt(math.pi)


_LEGENDRE = np.polynomial.legendre.leggauss(64)


def _check(array: Doubles, bounds: tuple[float, float] | None, level: float) -> None:
    low, high = bounds or (-math.inf, math.inf)
    inside = np.isfinite(array) & (array >= low) & (array <= high)
    if not inside.all():
        raise ParameterError(
            f"Values of an interval must be finite and lie in [{low:g}, {high:g}]. Got {array[~inside][0]:g}. "
            "Pass undefined values as NaN, or other bounds."
        )
    if not 0.0 < level < 1.0:
        raise ParameterError(f"The level of an interval must be between 0 and 1. Got {level:g}. Pass 0.95 for 95 %.")


def _few(array: Doubles, bounds: tuple[float, float] | None, level: float) -> tuple[float, float, str]:
    mean, n = float(array.mean()), len(array)
    if bounds is not None:
        width = bounds[1] - bounds[0]
        share = min(1.0, max(0.0, (mean - bounds[0]) / width))
        low, high = wilson(share, n, level=level)
        return bounds[0] + width * low, bounds[0] + width * high, "wilson"
    if (array == array[0]).all():
        return math.nan, math.nan, "none"
    half = student_quantile(0.5 + level / 2, n - 1) * float(array.std(ddof=1)) / math.sqrt(n)
    return mean - half, mean + half, "student"


def _resampled(array: Doubles, seed: int, level: float) -> tuple[float, float, str]:
    if len(array) <= STUDENTISED:
        mean = float(array.mean())
        ends = bootstrap_t(array - mean, resamples=RESAMPLES, seed=seed, level=level)
        if ends is not None:
            return mean + ends[0], mean + ends[1], "bootstrap-t"
    return *_bca(array, seed, level), "bca"


def _bca(array: Doubles, seed: int, level: float) -> tuple[float, float]:
    """Bias-corrected and accelerated bootstrap of the mean of sorted values."""
    n, mean = len(array), float(array.mean())
    away = array - mean
    shifts = _shifts(away, seed)
    # Half of the ties counts as below, as the distribution may have steps; rounding must not decide what is a tie.
    ties = np.abs(shifts) < 1e-12 * float(np.abs(away).max())
    below = (np.count_nonzero((shifts < 0) & ~ties) + 0.5 * np.count_nonzero(ties)) / len(shifts)
    normal = NormalDist()
    bias = normal.inv_cdf(min(max(below, 0.5 / len(shifts)), 1 - 0.5 / len(shifts)))
    acceleration = float((away**3).sum()) / (6 * float((away**2).sum()) ** 1.5)  # jackknife, of a mean
    # Resampling makes small samples look too steady; Hesterberg's correction puts Student's quantile in its place.
    wide = normal.cdf(math.sqrt(n / (n - 1)) * student_quantile(0.5 + level / 2, n - 1))
    ends = []
    for tail in (1 - wide, wide):
        z = bias + normal.inv_cdf(tail)
        ends.append(normal.cdf(bias + z / (1 - acceleration * z)))
    low, high = mean + np.quantile(shifts, ends)
    return float(low), float(high)


def _shifts(away: Doubles, seed: int) -> Doubles:
    """Mean shift of each resample, (RESAMPLES,); ``away`` is sorted and has mean 0."""
    n = len(away)
    if n <= MOST:
        return moments(away, RESAMPLES, seed)[0]
    rng = np.random.default_rng(seed)
    inner = np.linspace(_TAIL, n - _TAIL, _BINS - 2 * _TAIL + 1).astype(np.int64)
    edges = np.concatenate([np.arange(_TAIL), inner, np.arange(n - _TAIL + 1, n + 1)])
    sizes = np.diff(edges)
    centre = np.add.reduceat(away, edges[:-1]) / sizes
    spread = np.add.reduceat((away - np.repeat(centre, sizes)) ** 2, edges[:-1]) / sizes
    counts = rng.multinomial(n, sizes / n, size=RESAMPLES)
    shifts: Doubles = (counts @ centre + np.sqrt(counts @ spread) * rng.standard_normal(RESAMPLES)) / n
    return shifts
