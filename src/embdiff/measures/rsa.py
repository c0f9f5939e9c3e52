"""Representational similarity analysis: whether pairs of rows that are far apart in one space are so in the other."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from embdiff.measures.base import Measure, MeasureSpec, Parameter
from embdiff.measures.geometry import same_rows
from embdiff.measures.moments import Floating, check_pair
from embdiff.measures.row_pairs import PAIRS, Ranked, correlation, row_pairs, sampled, squared_distances
from embdiff.measures.statistics.jackknife import groups, jackknife
from embdiff.records import Score, Space


def rsa(x: npt.ArrayLike, y: npt.ArrayLike, *, pairs: int = PAIRS, seed: int = 0) -> float:
    """Return Spearman's correlation of the Euclidean distances between pairs of rows in two spaces.

    Parameters
    ----------
    x, y : array of float, shapes (n, d1) and (n, d2)
    pairs : int
        All n (n - 1) / 2 pairs are taken when they are at most so many, else so many distinct ones at random; the
        standard error of sampling them is about ``1 / sqrt(pairs)``.
    seed : int
        Of the sample.

    Returns
    -------
    float
        In [-1, 1]; ties (as float32) get their mean rank. NaN below 3 rows, and when a space has all distances equal.

    Notes
    -----
    Euclidean distance, as the form that correlates rows is changed by a rotation of the space. For vectors of length
    1 cosine similarity gives the same ranks, turned round in both.

    References
    ----------
    Kriegeskorte et al., Front. Syst. Neurosci. 2 (2008) 4; Spearman 1904.
    """
    left, right = check_pair(x, y)
    if len(left) < 3:
        return math.nan
    first, second = _ranked(left, right, *row_pairs(len(left), int(pairs), seed=seed))
    return correlation(first.ranks(), second.ranks())


def score_rsa(a: Space, b: Space, *, pairs: int = PAIRS, seed: int) -> Score:
    """Return the RSA of two spaces with its interval.

    Parameters
    ----------
    a, b : Space
        Of the same rows.
    pairs : int
        As for `rsa`; how many were taken is said in ``reason`` when it was not all.
    seed : int
        Of the sample of pairs and of the jackknife's groups.

    Returns
    -------
    Score
        ``rsa(pairs=...)``; n is the number of rows. Chance is 0: the mean over all orders of the rows. The jackknife
        leaves out all pairs with a row in the group, and ranks the others anew.
    """
    same_rows(a, b)
    left, right = check_pair(a.vectors, b.vectors)
    n = len(left)
    i, j = row_pairs(n, int(pairs), seed=seed)
    value, without = math.nan, [math.nan]
    if n >= 3:
        first, second = _ranked(left, right, i, j)
        value = correlation(first.ranks(), second.ranks())
        without = []
        for part in groups(n, seed=seed):
            out = np.zeros(n, dtype=np.bool_)
            out[part] = True
            kept = ~(out[i] | out[j])
            without.append(correlation(first.ranks(kept), second.ranks(kept)))
    low, high, method = jackknife(value, without, RSA.range)
    return Score(
        measure=str(MeasureSpec(RSA, None, {"pairs": pairs})),
        models=(a.model, b.model),
        value=value,
        low=low,
        high=high,
        chance=0.0 if math.isfinite(value) else math.nan,
        n=n,
        interval=method,
        reason=sampled(n, len(i)) if math.isfinite(value) else _why(n),
    )


def _ranked(x: Floating, y: Floating, i: npt.NDArray[np.int64], j: npt.NDArray[np.int64]) -> tuple[Ranked, Ranked]:
    return Ranked(squared_distances(x, i, j)), Ranked(squared_distances(y, i, j))


def _why(n: int) -> str:
    return (
        f"there must be at least 3 rows, there are {n}" if n < 3 else "all distances between rows of a space are equal"
    )


RSA = Measure(
    name="rsa",
    function=rsa,
    summary="rank correlation of the distances between pairs of rows in two spaces",
    formula="Spearman correlation of |x_i - x_j| and |y_i - y_j| over pairs i < j",
    needs="two spaces",
    direction="more alike distances",
    range=(-1.0, 1.0),
    symmetric=True,
    invariances=("rotation", "scaling", "shift", "order of the rows"),
    undefined_when="fewer than 3 rows, or all distances in a space equal",
    chance="0, exactly, over all orders of the rows",
    reference="Kriegeskorte et al. 2008, doi 10.3389/neuro.06.004.2008",
    cutoff=False,
    parameters={"pairs": Parameter(PAIRS, 1, 1e9, "pairs of rows that are sampled when there are more")},
)
