"""Distributions that intervals and tests share: Student's t, counts, Wilson's interval, many tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError

Doubles = npt.NDArray[np.float64]
_LEGENDRE = np.polynomial.legendre.leggauss(64)


def ratio(part: npt.ArrayLike, whole: npt.NDArray[Any], otherwise: float = math.nan) -> Doubles:
    """Return ``part / whole``; ``otherwise`` where the whole is not above 0."""
    out: Doubles = np.divide(part, whole, out=np.full(np.shape(part), otherwise), where=whole > 0)
    return out


def mean_known(values: Doubles) -> float:
    """Return the mean of the values that are not NaN; NaN when none is left."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def mean_of_known(values: Doubles) -> Doubles:
    """Return the mean over the first axis of the values that are not NaN; NaN where none is left."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0))


@lru_cache(maxsize=4_096)  # a search for how many queries are enough asks for the same ones again and again
def student_quantile(share: float, free: float) -> float:
    """Return the quantile of Student's t with ``free`` degrees of freedom.

    Parameters
    ----------
    share : float
        In (0, 1).
    free : float
        At least 1.

    Returns
    -------
    float
        To about 10 digits, by halving an interval on the distribution function: 3.1824 for .975 and 3.
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


def student_p(t: float, free: float) -> float:
    """Return how likely Student's t with ``free`` degrees of freedom is as far from 0 as ``t``, on either side."""
    return min(1.0, max(0.0, 2.0 * (1.0 - _student_share(abs(t), free))))


def _student_share(t: float, free: float) -> float:
    """Distribution function at t >= 0: with u = sqrt(free) tan(x) the density becomes a power of the cosine."""
    end = math.atan(t / math.sqrt(free))
    nodes, weights = _LEGENDRE
    area = end / 2 * float(weights @ np.cos(end / 2 * (nodes + 1)) ** (free - 1))
    return 0.5 + area * math.exp(math.lgamma((free + 1) / 2) - math.lgamma(free / 2)) / math.sqrt(math.pi)


def log_binomial(n: int, k: int) -> float:
    """Return the logarithm of the number of ways to choose k of n."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def hypergeometric(left: int, right: int, certain: int, candidates: int) -> tuple[npt.NDArray[np.int64], Doubles]:
    """Return how many rows two random lists can share, and how likely each number is.

    Given i further common rows, ``C(m, i) C(N - m, n - i) / C(N, n)`` with m, n and N less the certain rows.

    Parameters
    ----------
    left, right : int
        Lengths of the lists.
    certain : int
        Rows that both hold for certain (a query's own).
    candidates : int
        Rows that a query could return, the certain ones included.
    """
    pool, m, n = candidates - certain, left - certain, right - certain
    shared = np.arange(max(0, m + n - pool), min(m, n) + 1)
    logs = np.array([log_binomial(m, int(i)) + log_binomial(pool - m, n - int(i)) for i in shared])
    weights = np.exp(logs - logs.max())
    return certain + shared, weights / weights.sum()


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
    return _adjusted(p_values, lambda p: np.maximum.accumulate(p * np.arange(len(p), 0, -1)))


def false_discovery(p_values: Sequence[float] | Doubles) -> Doubles:
    """Adjust p-values for how many there are, by the false discovery rate of Benjamini and Hochberg.

    Parameters
    ----------
    p_values : array of float, shape (m,)
        NaN (undefined) stays NaN and is not counted.

    Returns
    -------
    ndarray of float64, shape (m,)
        At most 1: of those below 0.05, at most 5 % are false on average, where tests are independent or depend on each
        other positively.

    References
    ----------
    Benjamini and Hochberg, JRSS B 57 (1995) 289; scipy.stats.false_discovery_control.
    """
    return _adjusted(
        p_values, lambda p: np.minimum.accumulate((p * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    )  # fmt: skip


def _adjusted(p_values: Sequence[float] | Doubles, steps: Callable[[Doubles], Doubles]) -> Doubles:
    """Return p-values adjusted by what ``steps`` makes of them in rising order; NaN stays NaN, nothing is above 1."""
    array = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(array.shape, np.nan)
    known = np.flatnonzero(~np.isnan(array))
    order = known[np.argsort(array[known], kind="stable")]
    adjusted[order] = np.minimum(1.0, steps(array[order]))
    return adjusted
