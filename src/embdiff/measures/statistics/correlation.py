"""Pearson's correlation, and the ranks that make it Spearman's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.measures.statistics.quantiles import Doubles


def numbered(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the number from 0 of each value among the distinct ones in ascending order, (n,)."""
    return np.unique(values, return_inverse=True)[1].ravel().astype(np.int64, copy=False)


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
