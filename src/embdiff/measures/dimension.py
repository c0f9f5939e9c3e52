"""How many directions the rows of one space fill around each row: intrinsic dimension from two neighbours."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.base import Measure
from embdiff.measures.inputs import Undefined
from embdiff.measures.moments import Floating, check_space
from embdiff.measures.row_pairs import lengths, squared_distances, unit_rows
from embdiff.measures.spaces import Estimate, Jackknifed, check_every_row
from embdiff.measures.statistics.jackknife import FEWER, LOG, groups, linked
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import BoolArray, IntArray, Neighbors

DISCARDED = 0.1  # share of the largest ratios left out of the fit, as published
_DRAWN = 20_000  # rows that the chance level is made of
FEWEST = 10  # ratios: below, nine tenths of them are no line
REPEAT = 1e-6  # of the longer row: what rounding in float32, or another batch, may change of a vector


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
        At least 0. Rows that are equal up to rounding (no farther apart than 1e-6 of their length) count once, and as
        one neighbour: a distance of 0 has no ratio, and that of two roundings means nothing. Rows whose list is too
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
    logs = np.log(np.sin(np.exp(found) / 2))
    return float(np.mean([_slope(ratios) for ratios in logs[1] - logs[0]]))


def _log_ratios(x: npt.ArrayLike, a: Neighbors) -> tuple[Doubles, IntArray]:
    """Return log(r2 / r1) of the rows that have both, one of each set of repeats, and their partners, both (m,).

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
    codes = _repeats(vectors, a.rows)
    rows = np.sort(np.unique(codes, return_index=True)[1]).astype(np.int64)
    near, next_ = _two_different(rows, a.rows[rows], codes)
    kept = next_ >= 0
    rows, near, next_ = rows[kept], near[kept], next_[kept]
    apart = np.stack([squared_distances(vectors, rows, near), squared_distances(vectors, rows, next_)])
    # Lists are ordered by rounded similarity: of two that round alike either may be the nearer.
    apart.sort(axis=0)
    ratios: Doubles = 0.5 * np.log(apart[1] / apart[0])
    return ratios, _partners(rows, near, len(vectors))


def _repeats(vectors: Floating, lists: IntArray) -> IntArray:
    """Return a number for each row, (n,), the same for rows that are equal up to rounding.

    Rows that are exactly equal are found wherever they stand; others where they stand in front of a list.
    """
    codes = np.unique(vectors, axis=0, return_inverse=True)[1].ravel().astype(np.int64)
    reach, left, right = (REPEAT * lengths(vectors)) ** 2, [codes], [codes]
    rows = np.arange(len(lists), dtype=np.int64)
    for place in range(lists.shape[1]):
        there = lists[rows, place]
        rows, there = rows[there >= 0], there[there >= 0]
        close = squared_distances(vectors, rows, there) <= np.maximum(reach[rows], reach[there])
        rows, there = rows[close], there[close]
        left.append(codes[rows])
        right.append(codes[there])
    one, other = np.concatenate(left), np.concatenate(right)
    lowest = np.arange(len(codes), dtype=np.int64)
    while True:  # the lowest number passes on from repeat to repeat
        new = lowest.copy()
        np.minimum.at(new, one, lowest[other])
        np.minimum.at(new, other, lowest[one])
        if np.array_equal(new, lowest):
            return lowest[codes]
        lowest = new[new]


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


INTRINSIC_DIMENSION = Measure(
    function=intrinsic_dimension,
    needs="one space + neighbors",
    direction="more directions are filled",
    range=(0.0, math.inf),
    symmetric=True,
    invariances=("rotation", "scaling", "order of the rows", "repeated rows, when lists are long enough"),
    cutoff=False,
    scorer=Jackknifed(estimate=_estimate),
)
