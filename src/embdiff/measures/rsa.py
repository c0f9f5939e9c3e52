"""Representational similarity analysis: whether pairs of rows that are far apart in one space are so in the other."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from embdiff.measures.cka import CKA
from embdiff.measures.moments import Floating, check_pair
from embdiff.measures.row_pairs import PAIRS, SAMPLE, kept_pairs, row_pairs, sampled, squared_distances
from embdiff.measures.spaces import Estimate, Jackknifed
from embdiff.measures.statistics.correlation import correlation, mean_ranks, numbered
from embdiff.records import IntArray


def rsa(x: npt.ArrayLike, y: npt.ArrayLike, *, pairs: int = PAIRS, seed: int = 0) -> float:
    """Return the rank correlation of the distances between pairs of rows in two spaces.

    ``Spearman correlation of |x_i - x_j| and |y_i - y_j| over pairs i < j``.

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
        In [-1, 1]; ties (as float32) get their mean rank. NaN when there are fewer than 3 rows, or all distances in a
        space are equal.

    Notes
    -----
    By chance 0, exactly, over all orders of the rows.

    Euclidean distance, as the form that correlates rows is changed by a rotation of the space. For vectors of length
    1 cosine similarity gives the same ranks, turned round in both.

    References
    ----------
    Kriegeskorte et al., Front. Syst. Neurosci. 2 (2008) 4, doi 10.3389/neuro.06.004.2008; Spearman 1904.
    """
    left, right = check_pair(x, y)
    if len(left) < 3:
        return math.nan
    first, second = _distances(left, right, *row_pairs(len(left), int(pairs), seed=seed))
    return correlation(mean_ranks(first), mean_ranks(second))


def _estimate(x: Floating, y: Floating, *, pairs: int, seed: int) -> Estimate:
    """Leave out all pairs with a row in the group, and rank the others anew; chance is 0 over all orders."""
    left, right = check_pair(x, y)
    n = len(left)
    if n < 3:
        return Estimate(math.nan, n, why=f"there must be at least 3 rows, there are {n}")
    i, j = row_pairs(n, int(pairs), seed=seed)
    first, second = _distances(left, right, i, j)
    return Estimate(
        correlation(mean_ranks(first), mean_ranks(second)),
        n,
        [correlation(mean_ranks(first[kept]), mean_ranks(second[kept])) for kept in kept_pairs(n, i, j, seed=seed)],
        chance=0.0,
        note=sampled(n, len(i)),
        why="all distances between rows of a space are equal",
    )


def _of_orders(x: Floating, y: Floating) -> Callable[[IntArray], float]:
    """Return `rsa` over all pairs: distances and ranks stay, the pairs of y change places."""
    n = len(x)
    i, j = row_pairs(n, n * n, seed=0)
    first, second = _distances(x, y, i, j)
    ranks, table = mean_ranks(first), np.zeros((n, n))
    table[i, j] = table[j, i] = mean_ranks(second)
    return lambda order: correlation(ranks, table[order[i], order[j]])


def _distances(x: Floating, y: Floating, i: IntArray, j: IntArray) -> tuple[IntArray, IntArray]:
    """Return the distances of pairs in both spaces, numbered.

    Equal when equal as float32: what repeated rows tie must not hang on the last bit of a sum.
    """
    first, second = (numbered(squared_distances(space, i, j).astype(np.float32)) for space in (x, y))
    return first, second


RSA = CKA.variant(
    function=rsa,
    direction="more alike distances",
    scorer=Jackknifed(estimate=_estimate, fast=_of_orders),
    parameters=SAMPLE,
)
