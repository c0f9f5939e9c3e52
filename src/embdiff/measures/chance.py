"""What unrelated lists would get: exact expectations, for lists drawn without replacement from the candidates.

Where places count, the order is random, and a row that is in both lists for certain (the query's own, where it can be
returned) is taken to stand first in both, in the same order: it has the text of the query.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from embdiff.measures.statistics.quantiles import Doubles, hypergeometric


def expected_shared(left: int, right: int, certain: int, candidates: int) -> float:
    """Return the expected number of rows that two lists share.

    Parameters
    ----------
    left, right : int
        Lengths of the lists.
    certain : int
        Rows that both hold for certain (a query's own).
    candidates : int
        Rows that a query could return, the certain ones included.

    Returns
    -------
    float
        ``s + (left - s) (right - s) / (candidates - s)``.
    """
    pool = candidates - certain
    return certain + ((left - certain) * (right - certain) / pool if pool else 0.0)


def expected_jaccard(left: int, right: int, certain: int, candidates: int) -> float:
    """Return the expected ``|A n B| / |A u B|``, parameters as for `expected_shared`; NaN when both are empty.

    The number i of further common rows is hypergeometric, ``C(m, i) C(N - m, n - i) / C(N, n)`` with m, n and N less
    the certain rows; the ratio is averaged over it.
    """
    if left + right == 0:
        return math.nan
    pool, m, n = candidates - certain, left - certain, right - certain
    shared = np.arange(max(0, m + n - pool), min(m, n) + 1)
    ratio = (certain + shared) / (left + right - certain - shared)
    return float(hypergeometric(shared, pool, m, n) @ ratio)


def expected_hits(k: int, expected: int, candidates: int) -> float:
    """Return the chance that k rows drawn from ``candidates`` hold one of ``expected``: ``1 - C(n-e, k) / C(n, k)``."""
    if expected + k > candidates:
        return 1.0
    # A product of ratios below 1: no number ever gets large.
    return 1.0 - math.prod((candidates - expected - i) / (candidates - i) for i in range(k))


def expected_rbo(left: int, right: int, certain: int, candidates: int, p: float) -> float:
    """Return the expected RBO_ext of two lists drawn without replacement from the candidates, in random order.

    Parameters
    ----------
    left, right : int
        Lengths of the lists.
    certain : int
        Rows that both hold for certain, first in both.
    candidates : int
        Rows that a query could return, the certain ones included.
    p : float
        Of rbo.

    Returns
    -------
    float
        In [0, 1]. RBO_ext is linear in the common rows X_d at each depth, so their expectations, with s certain rows
        ``s + (d - s)^2 / (candidates - s)``, are put in their places. NaN when both lists are empty.

    References
    ----------
    Webber, Moffat and Zobel 2010, ACM TOIS 28(4):20, equation 32.
    """
    short, long = sorted((left, right))
    if long == 0:
        return math.nan
    if short == 0:
        return 0.0
    depth = np.arange(1, long + 1)
    pool = candidates - certain
    free = np.maximum(depth - certain, 0) * np.maximum(np.minimum(depth, short) - certain, 0)
    shared = np.minimum(depth, certain) + (free / pool if pool else 0.0)
    at_short = float(shared[short - 1])
    tail = depth[short:]
    inside = float((shared / depth) @ p**depth) + float((at_short * (tail - short) / (short * tail)) @ p**tail)
    carried = (float(shared[-1]) - at_short) / long + at_short / short
    return (1 - p) / p * inside + carried * p**long


def place_weight(i: npt.NDArray[np.int64], j: npt.NDArray[np.int64]) -> Doubles:
    """Return ``2 / ((1 + |i - j|) (i + j))`` of two places from 1: the weight that rank similarity gives a row."""
    out: Doubles = 2.0 / ((1 + np.abs(i - j)) * (i + j))
    return out


def expected_rank_similarity(left: int, right: int, certain: int, candidates: int) -> float:
    """Return the expected rank similarity; parameters as for `expected_rbo`, NaN when both lists are empty.

    Given m free common rows, their places are random in both lists: each adds the mean weight of all pairs of free
    places. The number m is hypergeometric, ``C(l, m) C(N - l, r - m) / C(N, r)`` with l, r, N less the certain rows.
    """
    if left + right == 0:
        return math.nan
    pool, m, n = candidates - certain, left - certain, right - certain
    free = np.arange(max(0, m + n - pool), min(m, n) + 1)
    law = hypergeometric(free, pool, m, n)
    one, two = np.meshgrid(np.arange(certain + 1, left + 1), np.arange(certain + 1, right + 1))
    weight = float(place_weight(one, two).mean()) if one.size else 0.0
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, min(left, right) + 1))])
    common = certain + free
    value = np.where(common > 0, (harmonic[certain] + free * weight) / np.where(common > 0, harmonic[common], 1.0), 0.0)
    return float(law @ value)


def expected_tau(common: int, certain: int) -> float:
    """Return the expected tau of ``common`` rows of which ``certain`` stand first in both lists, in the same order.

    The pairs with a certain row agree, the others cancel: ``1 - C(m - s, 2) / C(m, 2)``, 0 without certain rows. NaN
    for fewer than two common rows.
    """
    return math.nan if common < 2 else 1 - math.comb(common - certain, 2) / math.comb(common, 2)


def expected_median_rank(k: int, certain: int, candidates: int) -> float:
    """Return the expected median of k ranks drawn without replacement, the first ``certain`` of them being 1, 2, ...

    The j-th smallest of m numbers drawn from 1..N is ``j (N + 1) / (m + 1)`` on average (David and Nagaraja, Order
    Statistics, 3.7). ``(candidates + 1) / 2`` without certain rows; NaN for k = 0.
    """
    if k == 0:
        return math.nan

    def smallest(j: int) -> float:
        if j <= certain:
            return float(j)
        return certain + (j - certain) * (candidates - certain + 1) / (k - certain + 1)

    return (smallest((k + 1) // 2) + smallest(k // 2 + 1)) / 2
