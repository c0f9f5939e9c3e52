"""Which rows the neighbour lists of one space return too often, and which never: hubness and orphans."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from embdiff.measures.base import Measure
from embdiff.measures.cknna import check_every_row
from embdiff.measures.statistics.jackknife import FEWER, groups, jackknife, linked
from embdiff.measures.statistics.quantiles import wilson
from embdiff.records import Neighbors, Score

Doubles = npt.NDArray[np.float64]


def hubness(a: Neighbors) -> float:
    """Return the skewness of how often each row is among the k neighbours of others: ``E (N - mean)^3 / sd^3``.

    Parameters
    ----------
    a : Neighbors, shape (n, k)
        Query i is row i of the corpus, its own row left out; -1 pads.

    Returns
    -------
    float
        0 when symmetric, some 10 when a few rows are returned nearly everywhere (hubs). NaN when all rows are returned
        equally often, as for k = n - 1.

    Raises
    ------
    ParameterError
        When a list holds a row that is not there, or the query itself.

    References
    ----------
    Radovanović, Nanopoulos and Ivanović, JMLR 11 (2010) 2487.
    """
    return _skewness(occurrences(a))


def orphans(a: Neighbors) -> float:
    """Return the share of rows that are among the k neighbours of no other row: no query like them finds them.

    Parameters
    ----------
    a : Neighbors, shape (n, k)
        As for `hubness`.

    Returns
    -------
    float
        In [0, 1]. NaN without rows, or when every list is empty.

    References
    ----------
    Radovanović, Nanopoulos and Ivanović, JMLR 11 (2010) 2487 (anti-hubs).
    """
    counts = occurrences(a)
    return float((counts == 0).mean()) if counts.any() else math.nan


def occurrences(a: Neighbors) -> Doubles:
    """Return how often each row is in the list of another, (n,)."""
    check_every_row(a)
    return np.bincount(a.rows[a.rows >= 0], minlength=len(a.rows)).astype(np.float64)


def score_hubness(a: Neighbors, model: str, *, seed: int) -> Score:
    """Return `hubness` with interval and chance level.

    Parameters
    ----------
    a : Neighbors, shape (n, k)
    model : str
        Whose neighbours these are.
    seed : int
        Of the jackknife's groups.

    Returns
    -------
    Score
        ``hubness@k``. The jackknife leaves rows out of those whose counts are described; the counts are held fixed.
        It has 10 groups, and keeps a row and its nearest one together, whose counts hang together.
        Chance: skewness of the binomial counts of neighbours drawn at random, ``(1 - 2p) / sqrt((n-1) p (1-p))`` with
        ``p = k / (n - 1)``.
    """
    counts = occurrences(a)
    value = _skewness(counts)
    nearest = a.rows[:, 0] if a.k else np.full(len(counts), -1)
    together = linked(np.where(nearest >= 0, nearest, np.arange(len(counts))))
    parts = groups(len(counts), seed=seed, count=FEWER, together=together)
    without = [_skewness(np.delete(counts, part)) for part in parts]
    low, high, method = jackknife(value, without, HUBNESS.range)
    p = _share(counts)
    known = math.isfinite(value)
    return Score(
        measure=f"hubness@{a.k}",
        models=(model,),
        value=value,
        low=low,
        high=high,
        chance=(1 - 2 * p) / math.sqrt((len(counts) - 1) * p * (1 - p)) if known and 0 < p < 1 else math.nan,
        n=len(counts),
        interval=method,
        reason=None if known else f"undefined: {HUBNESS.undefined_when}",
    )


def score_orphans(a: Neighbors, model: str) -> Score:
    """Return `orphans` with Wilson's interval for a share of n rows, as ``orphans@k``.

    Chance is the share for neighbours drawn at random, ``(1 - p)^(n - 1)`` with ``p = k / (n - 1)``.
    """
    counts = occurrences(a)
    value = orphans(a)
    known = math.isfinite(value)
    low, high = wilson(value, len(counts)) if known else (math.nan, math.nan)
    return Score(
        measure=f"orphans@{a.k}",
        models=(model,),
        value=value,
        low=low,
        high=high,
        chance=(1 - _share(counts)) ** (len(counts) - 1) if known else math.nan,
        n=len(counts),
        interval="wilson" if known else "none",
        reason=None if known else f"undefined: {ORPHANS.undefined_when}",
    )


def _share(counts: Doubles) -> float:
    """Mean share of the other rows that a list holds: k / (n - 1) for full lists."""
    n = len(counts)
    return float(counts.sum()) / (n * (n - 1)) if n > 1 else math.nan


def _skewness(counts: Doubles) -> float:
    if len(counts) == 0:
        return math.nan
    away = counts - counts.mean()
    variance = float((away**2).mean())
    # Counts are whole numbers: a variance this small is rounding.
    return float((away**3).mean()) / variance**1.5 if variance > 1e-12 * (1 + counts.mean() ** 2) else math.nan


_INVARIANCES = ("rotation", "scaling", "order of the rows", "order of the neighbours within a list")

HUBNESS = Measure(
    name="hubness",
    function=hubness,
    summary="skewness of how often a row is among the k neighbours of others",
    formula="mean (N_k - mean N_k)^3 / sd(N_k)^3",
    needs="neighbors of every row",
    direction="a few rows returned more often",
    range=(-math.inf, math.inf),
    symmetric=True,
    invariances=_INVARIANCES,
    undefined_when="all rows are returned equally often",
    chance="(1 - 2p) / sqrt((n - 1) p (1 - p)), p = k / (n - 1): neighbours drawn at random",
    reference="Radovanović, Nanopoulos and Ivanović 2010, JMLR 11:2487",
)
ORPHANS = Measure(
    name="orphans",
    function=orphans,
    summary="share of rows that are among the k neighbours of no other row",
    formula="share of rows with N_k = 0",
    needs="neighbors of every row",
    direction="more rows that are never found",
    range=(0.0, 1.0),
    symmetric=True,
    invariances=_INVARIANCES,
    undefined_when="there are no rows, or every list is empty",
    chance="(1 - p)^(n - 1), p = k / (n - 1): neighbours drawn at random",
    reference="Radovanović, Nanopoulos and Ivanović 2010, JMLR 11:2487",
)
