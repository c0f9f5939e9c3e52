"""What intervals and tests share: Wilson's interval of a share, Holm's adjustment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

FEW = 30  # below, the Wilson interval is used

Doubles = npt.NDArray[np.float64]


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
    array = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(array.shape, np.nan)
    known = np.flatnonzero(~np.isnan(array))
    order = known[np.argsort(array[known], kind="stable")]
    steps = array[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(order) else steps
    return adjusted
