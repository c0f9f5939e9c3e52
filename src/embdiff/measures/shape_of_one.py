"""The shape of one space, from its vectors alone: direction, main axis, norms, spread over the sphere."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from embdiff.measures.base import Parameter
from embdiff.measures.moments import Doubles, Floating, Moments, Pass, check_space
from embdiff.measures.one_space import left_out, measure_of_one, score_of_one
from embdiff.measures.row_pairs import PAIRS, row_pairs, sampled, squared_distances, unit_rows
from embdiff.measures.statistics.jackknife import FEWER, LOG, PLAIN, groups, root
from embdiff.records import Score, Space

HEAT = 2.0  # t of the Gaussian potential, as published


def anisotropy(x: npt.ArrayLike) -> float:
    """Return the mean cosine of all pairs of different rows: ``(|sum_i u_i|^2 - n) / (n (n - 1))``, u_i unit rows.

    Parameters
    ----------
    x : array of float, shape (n, d)
        Rows of length 0 have no direction and are left out.

    Returns
    -------
    float
        In [-1, 1], at least ``-1 / (n - 1)``: 0 when directions are spread evenly, 1 when all rows point one way. Exact
        over all pairs (no sample). NaN when fewer than 2 rows have a direction.

    References
    ----------
    Ethayarajh 2019, arXiv 1909.00512.
    """
    unit, _ = unit_rows(check_space(x))
    return _mean_cosine(unit.sum(axis=0, dtype=np.float64), len(unit))


def first_component(x: npt.ArrayLike) -> float:
    """Return the share of the variance on the first principal component: largest eigenvalue of Xc'Xc over its trace.

    Parameters
    ----------
    x : array of float, shape (n, d)

    Returns
    -------
    float
        In [0, 1], at least ``1 / min(n - 1, d)``. NaN when all rows are equal.

    References
    ----------
    Mu and Viswanath 2018, arXiv 1702.01417.
    """
    rows = check_space(x)
    return _first_share(Pass.over(rows, rows).moments())


def norm_spread(x: npt.ArrayLike) -> float:
    """Return the coefficient of variation of the norms: standard deviation (n - 1) over mean.

    Parameters
    ----------
    x : array of float, shape (n, d)

    Returns
    -------
    float
        From 0 (all of one length: cosine and inner product agree) up. NaN below 2 rows, or when all norms are 0.

    References
    ----------
    Pearson 1896 (coefficient of variation).
    """
    return _variation(_norms(check_space(x)))


def uniformity(x: npt.ArrayLike, *, pairs: int = PAIRS, seed: int = 0) -> float:
    """Return the log of the mean Gaussian potential of pairs: ``log mean exp(-2 |u_i - u_j|^2)``, u_i unit rows.

    Parameters
    ----------
    x : array of float, shape (n, d)
        Rows of length 0 are left out.
    pairs : int
        All pairs are taken when they are at most so many, else so many distinct ones at random.
    seed : int
        Of the sample.

    Returns
    -------
    float
        In [-8, 0]: 0 when all rows point one way, near -4 when they fill a sphere of many dimensions evenly. NaN when
        fewer than 2 rows have a direction.

    References
    ----------
    Wang and Isola 2020, arXiv 2005.10242, with their t = 2.
    """
    unit, _ = unit_rows(check_space(x))
    return _log_mean(_potentials(unit, *row_pairs(len(unit), int(pairs), seed=seed)))


def score_anisotropy(a: Space, *, seed: int) -> Score:
    """Return `anisotropy` with interval, on the scale of the length of the mean direction.

    Chance is 0, the mean for directions spread evenly.
    """
    unit, empty = unit_rows(check_space(a.vectors))
    total, n = unit.sum(axis=0, dtype=np.float64), len(unit)
    without = [
        _mean_cosine(total - unit[part].sum(axis=0, dtype=np.float64), n - len(part)) for part in groups(n, seed=seed)
    ]
    scale = root(-1 / (n - 1)) if n > 1 else PLAIN
    note = left_out(empty, len(a.ids))
    return score_of_one(ANISOTROPY, a, _mean_cosine(total, n), without, chance=0.0, n=n, note=note, scale=scale)


def score_first_component(a: Space, *, seed: int) -> Score:
    """Return `first_component` with interval, on the scale of logarithms.

    Chance is the level of the same number of rows of independent equal variances: the edge of Marchenko and Pastur's
    law over the dimension, ``(1 + sqrt(d / n))^2 / d``, at most 1.
    """
    rows = check_space(a.vectors)
    over = Pass.over(rows, rows)
    total = over.moments()
    without = [_first_share(total - over.moments(part)) for part in groups(total.n, seed=seed)]
    chance = min(1.0, (1 + math.sqrt(a.dim / max(1, total.n))) ** 2 / a.dim)
    return score_of_one(FIRST_COMPONENT, a, _first_share(total), without, chance=chance, n=total.n, scale=LOG)


def score_norm_spread(a: Space, *, seed: int) -> Score:
    """Return `norm_spread` with interval, on the scale of logarithms over 10 groups.

    Chance is the level of rows of independent normal coordinates of equal variance: ``sqrt(d / E^2 - 1)``, E the mean
    length ``sqrt(2) G((d + 1) / 2) / G(d / 2)``, about ``1 / sqrt(2 d)``.
    """
    mean = math.exp(math.lgamma((a.dim + 1) / 2) - math.lgamma(a.dim / 2)) * math.sqrt(2)
    chance = math.sqrt(a.dim / mean**2 - 1)
    norms = _norms(check_space(a.vectors))
    without = [_variation(np.delete(norms, part)) for part in groups(len(norms), seed=seed, count=FEWER)]
    return score_of_one(NORM_SPREAD, a, _variation(norms), without, chance=chance, n=len(norms), scale=LOG)


def score_uniformity(a: Space, *, pairs: int = PAIRS, seed: int) -> Score:
    """Return ``uniformity(pairs=...)`` with interval; chance is its level on an evenly filled sphere of d dimensions.

    The jackknife leaves out all pairs with a row in the group. ``reason`` says how many pairs were sampled when it was
    not all.
    """
    unit, empty = unit_rows(check_space(a.vectors))
    n = len(unit)
    i, j = row_pairs(n, int(pairs), seed=seed)
    potentials = _potentials(unit, i, j)
    without = _without_groups(potentials, i, j, n, seed)
    notes = filter(None, (left_out(empty, len(a.ids)), sampled(n, len(i))))
    value = _log_mean(potentials)
    chance = even_potential(a.dim)
    return score_of_one(UNIFORMITY, a, value, without, chance=chance, n=n, note="; ".join(notes) or None, pairs=pairs)


def even_potential(dim: int) -> float:
    """Return ``log E exp(-t |u - v|^2)`` for independent even directions in ``dim`` dimensions, t = 2.

    ``-2t + log 0F1(; dim / 2; t^2)``: the moment generating function of the cosine of two such directions.
    """
    total = term = 1.0
    for step in range(1, 60):
        term *= HEAT**2 / (step * (dim / 2 + step - 1))
        total += term
    return math.log(total) - 2 * HEAT


def _mean_cosine(total: Doubles, n: int) -> float:
    return min(1.0, (float(total @ total) - n) / (n * (n - 1))) if n > 1 else math.nan


def _first_share(sums: Moments) -> float:
    if not sums.has_spread:
        return math.nan
    scatter = sums.centred[0]
    return min(1.0, float(np.linalg.eigvalsh(scatter)[-1] / np.trace(scatter)))


def _norms(x: Floating) -> Doubles:
    norms: Doubles = np.sqrt(np.einsum("ij,ij->i", x, x, dtype=np.float64))
    return norms


def _variation(norms: Doubles) -> float:
    return float(norms.std(ddof=1) / norms.mean()) if len(norms) > 1 and norms.any() else math.nan


def _potentials(unit: Floating, i: npt.NDArray[np.int64], j: npt.NDArray[np.int64]) -> Doubles:
    potentials: Doubles = np.exp(-HEAT * squared_distances(unit, i, j))
    return potentials


def _without_groups(
    potentials: Doubles, i: npt.NDArray[np.int64], j: npt.NDArray[np.int64], n: int, seed: int
) -> list[float]:
    """Return the log mean without the pairs that hold a row of each group: from sums by the groups of both rows."""
    parts = groups(n, seed=seed)
    of_row = np.empty(n, dtype=np.int64)
    for at, part in enumerate(parts):
        of_row[part] = at
    codes, size = of_row[i] * len(parts) + of_row[j], len(parts) ** 2
    left = []
    for table in (np.bincount(codes, potentials, size), np.bincount(codes, minlength=size)):
        square = table.reshape(len(parts), -1)
        left.append(square.sum() - square.sum(axis=0) - square.sum(axis=1) + np.diag(square))
    return [math.log(total / count) if count else math.nan for total, count in zip(*left, strict=True)]


def _log_mean(potentials: Doubles) -> float:
    return math.log(float(potentials.mean())) if len(potentials) else math.nan


_DIRECTION = "fewer than 2 rows that have a direction (length above 0)"
ANISOTROPY = measure_of_one(
    anisotropy,
    "mean cosine of all pairs of different rows",
    "(|sum_i u_i|^2 - n) / (n (n - 1)), u_i = x_i / |x_i|",
    "rows point more the same way",
    (-1.0, 1.0),
    ("rotation", "scaling", "scaling of single rows"),
    _DIRECTION,
    "0, for directions spread evenly",
    "Ethayarajh 2019, arXiv 1909.00512",
)
FIRST_COMPONENT = measure_of_one(
    first_component,
    "share of the variance on the first principal component",
    "largest eigenvalue of Xc'Xc / tr Xc'Xc",
    "more of the variance on one axis",
    (0.0, 1.0),
    ("rotation", "scaling", "shift"),
    "all rows are equal",
    "(1 + sqrt(d / n))^2 / d, for independent axes of equal variance (Marchenko-Pastur edge)",
    "Mu and Viswanath 2018, arXiv 1702.01417",
)
NORM_SPREAD = measure_of_one(
    norm_spread,
    "coefficient of variation of the lengths of the rows",
    "sd |x_i| / mean |x_i|",
    "lengths differ more, so cosine and inner product do too",
    (0.0, math.inf),
    ("rotation", "scaling"),
    "fewer than 2 rows, or all of length 0",
    "about 1 / sqrt(2 d), for independent normal coordinates of equal variance; 0 when vectors are normalised",
    "Pearson 1896 (coefficient of variation)",
)
UNIFORMITY = measure_of_one(
    uniformity,
    "how evenly directions fill the sphere: log mean Gaussian potential of pairs",
    "log mean_{i<j} exp(-2 |u_i - u_j|^2), u_i = x_i / |x_i|",
    "directions closer together",
    (-4 * HEAT, 0.0),
    ("rotation", "scaling", "scaling of single rows"),
    _DIRECTION,
    "log 0F1(; d/2; 4) - 4, on an evenly filled sphere",
    "Wang and Isola 2020, arXiv 2005.10242",
    pairs=Parameter(PAIRS, 1, 1e9, "pairs of rows that are sampled when there are more"),
)
