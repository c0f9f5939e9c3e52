"""Which rows of one space lists return too often, and which never: hubness and orphans."""

from __future__ import annotations

import math

import numpy as np

from embdiff.measures.base import Measure
from embdiff.measures.spaces import Estimate, Jackknifed, check_every_row
from embdiff.measures.statistics.jackknife import FEWER, groups, linked
from embdiff.measures.statistics.quantiles import Doubles, wilson
from embdiff.measures.ties import absent, times_listed
from embdiff.records import IntArray, Neighbors


def hubness(a: Neighbors) -> float:
    """Return the skewness of how often a row is among the k neighbours of others.

    ``mean (N_k - mean N_k)^3 / sd(N_k)^3``, N_k the times that a row is.

    Parameters
    ----------
    a : Neighbors, shape (n, k)
        Query i is row i of the corpus, its own row left out; -1 pads.

    Returns
    -------
    float
        0 when symmetric, some 10 when a few rows are returned nearly everywhere (hubs). NaN when all rows are returned
        equally often. For k = n - 1 they are.

    Raises
    ------
    ParameterError
        When a list holds a row that is not there, or the query itself.

    Notes
    -----
    By chance (1 - 2p) / sqrt((n - 1) p (1 - p)), p = k / (n - 1): neighbours drawn at random.

    References
    ----------
    Radovanović, Nanopoulos and Ivanović, JMLR 11 (2010) 2487.
    """
    return _skewness(_counts(a))


def orphans(a: Neighbors) -> float:
    """Return the share of rows that are among the k neighbours of no other row: ``share of rows with N_k = 0``.

    No query like them finds them.

    Parameters
    ----------
    a : Neighbors, shape (n, k)
        As for `hubness`.

    Returns
    -------
    float
        In [0, 1]. NaN when there are no rows, or every list is empty.

    Notes
    -----
    By chance (1 - p)^(n - 1), p = k / (n - 1): neighbours drawn at random.

    References
    ----------
    Radovanović, Nanopoulos and Ivanović, JMLR 11 (2010) 2487 (anti-hubs).
    """
    check_every_row(a)
    never = absent(a, len(a.rows))
    return float(never.mean()) if (never < 1.0).any() else math.nan


def occurrences(found: IntArray, rows: int) -> IntArray:
    """Return how often each row of the corpus was found, (rows,): its k-occurrence.

    Parameters
    ----------
    found : ndarray of int64, of any shape
        Row numbers; -1 pads.
    rows : int
        Rows of the corpus.
    """
    return np.bincount(found[found >= 0], minlength=rows)


def _counts(a: Neighbors) -> Doubles:
    check_every_row(a)
    return times_listed(a, len(a.rows))


def _hubness(a: Neighbors, *, seed: int) -> Estimate:
    """Leave rows out of those whose counts are described; the counts are held fixed.

    There are 10 groups, which keep a row and its nearest one together, whose counts hang together.
    """
    counts, p = _counts(a), _share(a)
    n = len(counts)
    nearest = a.rows[:, 0] if a.k else np.full(n, -1)
    together = linked(np.where(nearest >= 0, nearest, np.arange(n)))
    without = [_skewness(np.delete(counts, part)) for part in groups(n, seed=seed, count=FEWER, together=together)]
    chance = (1 - 2 * p) / math.sqrt((n - 1) * p * (1 - p)) if 0 < p < 1 else math.nan
    return Estimate(_skewness(counts), n, without, chance)


def _orphans(a: Neighbors, *, seed: int) -> Estimate:
    value, n = orphans(a), len(a.rows)
    if math.isnan(value):
        return Estimate(value, n)
    return Estimate(value, n, chance=(1 - _share(a)) ** (n - 1), within=(*wilson(value, n), "wilson"))


def _share(a: Neighbors) -> float:
    """Mean share of the other rows that a list holds: k / (n - 1) for full lists."""
    n = len(a.rows)
    return np.count_nonzero(a.rows >= 0) / (n * (n - 1)) if n > 1 else math.nan


def _skewness(counts: Doubles) -> float:
    if len(counts) == 0:
        return math.nan
    away = counts - counts.mean()
    variance = float((away**2).mean())
    # Counts are whole numbers: a variance this small is rounding.
    return float((away**3).mean()) / variance**1.5 if variance > 1e-12 * (1 + counts.mean() ** 2) else math.nan


HUBNESS = Measure(
    function=hubness,
    needs="neighbors of every row",
    direction="a few rows returned more often",
    range=(-math.inf, math.inf),
    symmetric=True,
    invariances=("rotation", "scaling", "order of the rows", "order of the neighbours within a list"),
    scorer=Jackknifed(estimate=_hubness),
)
ORPHANS = HUBNESS.variant(
    function=orphans,
    direction="more rows that are never found",
    range=(0.0, 1.0),
    scorer=Jackknifed(estimate=_orphans),
)
