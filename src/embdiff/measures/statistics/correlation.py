"""Pearson's correlation, the ranks that make it Spearman's, and intervals on Fisher's scale."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.measures.statistics.quantiles import Doubles, ratio, student_quantile, wilson
from embdiff.ties import TOLERANCE

FLAT = 1e-12  # what is left of a spread by rounding


def numbered(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the number from 0 of each value among the distinct ones in ascending order, (n,)."""
    return np.unique(values, return_inverse=True)[1].ravel().astype(np.int64, copy=False)


def levelled(values: Doubles, tolerance: float = TOLERANCE) -> Doubles:
    """Return values in which those that differ by rounding alone are equal, (n,): each becomes the lowest of its level.

    A level is what lies within ``tolerance`` (of the largest value in size) of its lowest value, so that it is never
    wider than that, however many there are.
    """
    rising, back = np.unique(values, return_inverse=True)
    out = rising.copy()
    width = tolerance * float(np.abs(rising).max(initial=0.0))
    for place in np.flatnonzero(np.diff(rising) <= width) + 1:  # few, as a rule: elsewhere nothing is near
        if rising[place] - out[place - 1] <= width:
            out[place] = out[place - 1]
    return np.asarray(out[back.ravel()], dtype=np.float64)


def mean_ranks(codes: npt.NDArray[np.int64]) -> Doubles:
    """Return ranks from 1 of numbers from `numbered`, or of some of them: equal ones get their mean rank; (n,)."""
    counts = np.bincount(codes)
    return (np.cumsum(counts) - (counts - 1) / 2)[codes]


def correlation(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Return Pearson's correlation in float64, NaN when either is constant or there are fewer than two."""
    if len(a) < 2:
        return math.nan
    a, b = a - a.mean(), b - b.mean()
    below = math.sqrt(float(a @ a) * float(b @ b))
    return min(1.0, max(-1.0, float(a @ b) / below)) if below > 0 else math.nan


def fisher_ends(
    value: float, error: float, free: float, fewer: int, method: str = "influence"
) -> tuple[float, float, str]:
    """Return the interval of a number in [-1, 1] on Fisher's z scale, and how it was made.

    Parameters
    ----------
    value, error : float
        The number and its standard error.
    free : float
        Degrees of freedom of that error.
    fewer : int
        Units, or those of the rarest kind: Wilson's interval of so many where nothing was ever wrong.
    method : str
        What the error comes from.
    """
    bend = 1.0 - value * value
    if bend < FLAT or error < FLAT:
        low, high = wilson((value + 1.0) / 2.0, fewer)
        return 2.0 * low - 1.0, 2.0 * high - 1.0, "wilson"
    reach = student_quantile(0.975, free) * error / bend
    return math.tanh(math.atanh(value) - reach), math.tanh(math.atanh(value) + reach), method


def without_each_of(similarity: Doubles, kinds: npt.NDArray[np.bool_]) -> Doubles:
    """Return Pearson's correlation with ``kinds`` without each pair, (n,), the shares of the kinds kept.

    Of two kinds it is ``d / sqrt(within + d^2)``: d the difference of the means times the square root of both shares,
    within the variances of the kinds by their shares.
    """
    share = float(kinds.mean())
    means, variances = np.empty((2, len(kinds))), np.empty((2, len(kinds)))
    for kind, own in enumerate((~kinds, kinds)):
        part = similarity[own] - similarity[own].mean()
        count = len(part)
        means[kind], variances[kind] = similarity[own].mean(), part.var()
        means[kind, own] -= part / (count - 1)
        variances[kind, own] = np.maximum(0.0, (part @ part - part**2 * count / (count - 1)) / (count - 1))
    apart = (means[1] - means[0]) * math.sqrt(share * (1.0 - share))
    return ratio(apart, np.sqrt(share * variances[1] + (1.0 - share) * variances[0] + apart**2))


def without_each(similarity: Doubles, score: Doubles) -> Doubles:
    """Return Pearson's correlation without each pair, (n,), from sums; NaN where the others do not vary."""
    n, x, y = len(score), similarity - similarity.mean(), score - score.mean()
    # Without pair i the centred sums are less x_i^2, and the new means are -x_i / (n - 1).
    share = n / (n - 1)
    xx, yy, xy = (float(a @ b) - share * a * b for a, b in ((x, x), (y, y), (x, y)))
    return ratio(xy, np.sqrt(np.maximum(xx, 0.0) * np.maximum(yy, 0.0)))
