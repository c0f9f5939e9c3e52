"""What the neighbours of every row say of one space.

Which rows lists return too often, and which never (hubness and orphans); and how many directions the rows fill around
each row: intrinsic dimension from two neighbours.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.base import Measure
from embdiff.measures.inputs import Undefined
from embdiff.measures.moments import Floating, check_space
from embdiff.measures.row_pairs import squared_distances, unit_rows
from embdiff.measures.spaces import Estimate, Jackknifed, check_every_row
from embdiff.measures.statistics.jackknife import FEWER, LOG, groups, linked
from embdiff.measures.statistics.quantiles import Doubles, wilson
from embdiff.measures.ties import absent, times_listed
from embdiff.records import BoolArray, IntArray, Neighbors


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


DISCARDED = 0.1  # share of the largest ratios left out of the fit, as published
_DRAWN = 20_000  # rows that the chance level is made of
FEWEST = 10  # ratios: below, nine tenths of them are no line


def intrinsic_dimension(x: npt.ArrayLike, a: Neighbors) -> float:
    """Return the number of directions that the rows fill around each row (TwoNN).

    ``slope through the origin of -log(1 - F(m)) over log m, m = r2 / r1, largest tenth left out``: m is the ratio of
    the distances to the second and first neighbour, F the share of rows with a ratio up to it.

    Parameters
    ----------
    x : array of float, shape (n, d)
        For the metric cosine they are scaled to length 1.
    a : Neighbors, shape (n, k)
        Nearest rows of each row, its own left out; metric cosine or l2; k at least 2, more where rows repeat.

    Returns
    -------
    float
        At least 0. Equal rows count once, and as one neighbour: a distance of 0 has no ratio. Rows whose list is too
        short to find two different neighbours are left out too. NaN when fewer than 10 different rows have two
        different neighbours, or all ratios are 1.

    Raises
    ------
    ShapeError, ParameterError
        When x and the lists do not fit together, k is below 2, or the metric is ip (not a distance).

    Notes
    -----
    By chance what so many rows of evenly spread directions in d dimensions show; far below d for few rows.

    References
    ----------
    Facco, d'Errico, Rodriguez and Laio, Sci. Rep. 7 (2017) 12140.
    """
    return _slope(_log_ratios(x, a)[0])


def _estimate(x: Floating, a: Neighbors, *, seed: int) -> Estimate:
    """Leave 10 groups of rows out of the fit, neighbours held fixed.

    Two rows that are each other's nearest share a distance, and stay in one group.
    """
    if a.k < 2:
        raise Undefined(f"it needs two neighbours of each row, k is {a.k}")
    if a.metric == "ip":
        raise Undefined("an inner product is no distance: vectors differ in length")
    ratios, partner = _log_ratios(x, a)
    n, out = len(ratios), len(x) - len(ratios)
    parts = groups(n, seed=seed, count=FEWER, together=linked(partner))
    note = f"{out} of {len(x)} rows repeat another, or have no two different neighbours, and are left out"
    return Estimate(
        _slope(ratios),
        n,
        [_slope(np.delete(ratios, part)) for part in parts],
        even_dimension(n, x.shape[1]),
        scale=LOG,
        factor=FEWER / (FEWER - 1),  # of few dozen rows the fits differ by less than they should
        note=note if out else None,
    )


def even_dimension(n: int, dim: int) -> float:
    """Return what the estimate is for n rows whose directions are spread evenly over the sphere of ``dim`` dimensions.

    Cosines with one row are then independent, ``(1 + cos) / 2`` of the beta distribution with both parameters
    ``(dim - 1) / 2``; so the two nearest of n - 1 are two order statistics, drawn for 20,000 rows or more with a
    fixed seed, n at a time.

    Parameters
    ----------
    n, dim : int

    Returns
    -------
    float
        Near ``dim - 1`` for many rows of few dimensions, far below it for few rows of many (the reason to look at it).
        NaN for n below 10 or dim below 2.
    """
    if n < FEWEST or dim < 2:
        return math.nan
    first, second = np.random.default_rng(0).random((2, -(-_DRAWN // n), n))
    near = -np.expm1(np.log1p(-first) / (n - 1))
    next_ = -np.expm1(np.log1p(-near) + np.log1p(-second) / (n - 2))
    # The share of directions within an angle: the integral of sin^(dim - 2), from where it is nothing.
    reach = 12 / math.sqrt(dim)
    angles = np.geomspace(max(math.pi / 2 - reach, 1e-6), min(math.pi / 2 + reach, math.pi), _DRAWN)
    logs = (dim - 2) * np.log(np.sin((angles[1:] + angles[:-1]) / 2))
    within = np.cumsum(np.exp(logs - logs.max()) * np.diff(angles))
    found = np.interp(np.log(np.stack([near, next_])), np.log(within / within[-1]), np.log(angles[1:]))
    lengths = np.log(np.sin(np.exp(found) / 2))
    return float(np.mean([_slope(ratios) for ratios in lengths[1] - lengths[0]]))


def _log_ratios(x: npt.ArrayLike, a: Neighbors) -> tuple[Doubles, IntArray]:
    """Return log(r2 / r1) of the rows that have both, one of each set of equal rows, and their partners, both (m,).

    A partner is the row, among these m, that is the nearest of this one and whose nearest this one is; else itself.
    """
    vectors = check_space(x)
    _check(len(vectors), a)
    if a.metric == "cosine":
        vectors, empty = unit_rows(vectors)
        if empty:
            raise ParameterError(
                f"Every row must have a direction for the metric cosine. Got {empty} rows of length 0. "
                "Leave them out, or search with l2."
            )
    _, first, codes = np.unique(vectors, axis=0, return_index=True, return_inverse=True)
    rows = np.sort(first).astype(np.int64)
    near, next_ = _two_different(rows, a.rows[rows], codes.ravel().astype(np.int64))
    kept = next_ >= 0
    rows, near, next_ = rows[kept], near[kept], next_[kept]
    lengths = np.stack([squared_distances(vectors, rows, near), squared_distances(vectors, rows, next_)])
    # Lists are ordered by rounded similarity: of two that round alike either may be the nearer.
    lengths.sort(axis=0)
    ratios: Doubles = 0.5 * np.log(lengths[1] / lengths[0])
    return ratios, _partners(rows, near, len(vectors))


def _partners(rows: IntArray, near: IntArray, n: int) -> IntArray:
    own = np.arange(len(rows), dtype=np.int64)
    place = np.full(n, -1, dtype=np.int64)
    place[rows] = own
    nearest = np.where(place[near] >= 0, place[near], own)
    return np.where(nearest[nearest] == own, nearest, own)


def _two_different(rows: IntArray, lists: IntArray, codes: IntArray) -> tuple[IntArray, IntArray]:
    """Return the first row of each list that differs from the query, and the next that differs from both; -1: none."""
    code = np.where(lists >= 0, codes[lists], -1)
    usable = (lists >= 0) & (code != codes[rows][:, None])
    near, met = _first(lists, usable)
    next_, _ = _first(lists, usable & (code != code[np.arange(len(rows)), met][:, None]))
    return near, next_


def _first(lists: IntArray, usable: BoolArray) -> tuple[IntArray, IntArray]:
    place = usable.argmax(axis=1)
    at = np.arange(len(lists))
    return np.where(usable[at, place], lists[at, place], -1), place


def _slope(ratios: Doubles) -> float:
    n = len(ratios)
    if n < FEWEST:
        return math.nan
    kept = np.sort(ratios)[: int(n * (1 - DISCARDED))]
    below = float(kept @ kept)
    height = -np.log1p(-np.arange(1, len(kept) + 1) / n)
    return float(kept @ height) / below if below > 0 else math.nan


def _check(n: int, a: Neighbors) -> None:
    if len(a.rows) != n:
        raise ShapeError(f"There must be one list for each of the {n} rows. Got {len(a.rows)}. Search every row.")
    if a.metric == "ip":
        raise ParameterError(
            "The metric of intrinsic_dimension must be cosine or l2: an inner product is no distance. Got ip. "
            "Search with l2."
        )
    if a.k < 2:
        raise ParameterError(f"intrinsic_dimension must have at least 2 neighbours. Got k = {a.k}. Raise k.")
    check_every_row(a)


INTRINSIC_DIMENSION = HUBNESS.variant(
    function=intrinsic_dimension,
    needs="one space + neighbors",
    direction="more directions are filled",
    range=(0.0, math.inf),
    invariances=("rotation", "scaling", "order of the rows", "repeated rows, when lists are long enough"),
    cutoff=False,
    scorer=Jackknifed(estimate=_estimate),
)
