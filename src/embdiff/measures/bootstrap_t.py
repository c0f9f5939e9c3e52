"""The studentised bootstrap of a mean: for small samples of skewed values."""

from __future__ import annotations

import math

import numpy as np

from embdiff.measures.inference import Doubles

_DRAWN = 2**20  # numbers drawn at a time


def bootstrap_t(away: Doubles, *, resamples: int, seed: int, level: float) -> tuple[float, float] | None:
    """Return the interval of the mean, relative to the mean of the sample.

    Every resample's shift is divided by its own standard error. The quantiles of that ratio know of skewness what the
    quantiles of the shift do not: a sample of 50 that missed the long tail has too small a mean and too small a
    standard error at once.

    Parameters
    ----------
    away : ndarray of float64, shape (n,)
        The values less their mean, not all 0; n at least 2.
    resamples : int
        How many samples are drawn.
    seed : int
        Of the draws.
    level : float
        Share of such intervals that hold the true mean, in (0, 1).

    Returns
    -------
    tuple of (float, float) or None
        None when so many resamples have equal values that an end would be infinite: a few values out of many decide.

    References
    ----------
    Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 12; Hall, "Theoretical comparison of
    bootstrap confidence intervals", Ann. Statist. 16 (1988) 927.
    """
    n = len(away)
    shift, deviation = moments(away, resamples, seed)
    largest = float(np.abs(away).max())
    steady = deviation <= 1e-9 * largest
    # A resample of equal values lies infinitely many of its own standard errors away, or none if at the mean.
    ratio = np.where(np.abs(shift) <= 1e-12 * largest, 0.0, np.copysign(math.inf, shift))
    np.divide(shift, deviation, out=ratio, where=~steady)
    # "higher" and "lower" take a value that was drawn: nothing is interpolated with infinity.
    low = float(np.quantile(ratio, 0.5 - level / 2, method="lower"))
    high = float(np.quantile(ratio, 0.5 + level / 2, method="higher"))
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    scale = float(np.sqrt((away**2).sum() / (n - 1)))
    return -high * scale, -low * scale


def moments(away: Doubles, resamples: int, seed: int) -> tuple[Doubles, Doubles]:
    """Return mean and standard deviation of each resample of the values, both (resamples,)."""
    rng, n = np.random.default_rng(seed), len(away)
    mean, deviation = np.empty(resamples), np.empty(resamples)
    step = max(1, _DRAWN // n)
    for start in range(0, resamples, step):
        at = slice(start, min(start + step, resamples))
        drawn = away[rng.integers(0, n, (at.stop - start, n), dtype=np.int32)]
        mean[at] = drawn.mean(axis=1)
        drawn -= mean[at, None]
        deviation[at] = np.sqrt(np.einsum("rn,rn->r", drawn, drawn) / (n - 1))
    return mean, deviation
