"""The shape of one space, from its vectors alone: direction, main axis, norms, spread over the sphere."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from embdiff.measures.base import Measure
from embdiff.measures.moments import Floating, Rows, Sums, check_space
from embdiff.measures.row_pairs import (
    PAIRS,
    SAMPLE,
    kept_pairs,
    lengths,
    row_pairs,
    sampled,
    squared_distances,
    unit_rows,
)
from embdiff.measures.spaces import Estimate, Jackknifed
from embdiff.measures.statistics.jackknife import FEWER, LOG, PLAIN, groups, root
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import IntArray

HEAT = 2.0  # t of the Gaussian potential, as published


def anisotropy(x: npt.ArrayLike) -> float:
    """Return the mean cosine of all pairs of different rows.

    ``(|sum_i u_i|^2 - n) / (n (n - 1)), u_i = x_i / |x_i|``.

    Parameters
    ----------
    x : array of float, shape (n, d)
        Rows of length 0 have no direction and are left out.

    Returns
    -------
    float
        In [-1, 1], at least ``-1 / (n - 1)``: 0 when directions are spread evenly, 1 when all rows point one way. Exact
        over all pairs (no sample). NaN when fewer than 2 rows have a direction (length above 0).

    Notes
    -----
    By chance 0, for directions spread evenly.

    References
    ----------
    Ethayarajh 2019, arXiv 1909.00512.
    """
    unit, _ = unit_rows(check_space(x))
    return _mean_cosine(unit.sum(axis=0, dtype=np.float64), len(unit))


def first_component(x: npt.ArrayLike) -> float:
    """Return the share of the variance on the first principal component: ``largest eigenvalue of Xc'Xc / tr Xc'Xc``.

    Parameters
    ----------
    x : array of float, shape (n, d)

    Returns
    -------
    float
        In [0, 1], at least ``1 / min(n - 1, d)``. NaN when all rows are equal.

    Notes
    -----
    By chance (1 + sqrt(d / n))^2 / d, for independent axes of equal variance (Marchenko-Pastur edge).

    References
    ----------
    Mu and Viswanath 2018, arXiv 1702.01417.
    """
    return _first_share(Rows.of(check_space(x)).sums())


def norm_spread(x: npt.ArrayLike) -> float:
    """Return the coefficient of variation of the lengths of the rows: ``sd |x_i| / mean |x_i|``, sd over n - 1.

    Parameters
    ----------
    x : array of float, shape (n, d)

    Returns
    -------
    float
        From 0 (all of one length: cosine and inner product agree) up. NaN when there are fewer than 2 rows, or all are
        of length 0.

    Notes
    -----
    By chance about 1 / sqrt(2 d), for independent normal coordinates of equal variance; 0 when vectors are normalised.

    References
    ----------
    Pearson 1896 (coefficient of variation).
    """
    return _variation(lengths(check_space(x)))


def uniformity(x: npt.ArrayLike, *, pairs: int = PAIRS, seed: int = 0) -> float:
    """Return how evenly directions fill the sphere: log mean Gaussian potential of pairs.

    ``log mean_{i<j} exp(-2 |u_i - u_j|^2), u_i = x_i / |x_i|``.

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
        fewer than 2 rows have a direction (length above 0).

    Notes
    -----
    By chance log 0F1(; d/2; 4) - 4, on an evenly filled sphere.

    References
    ----------
    Wang and Isola 2020, arXiv 2005.10242, with their t = 2.
    """
    unit, _ = unit_rows(check_space(x))
    return _log_mean(_potentials(unit, *row_pairs(len(unit), int(pairs), seed=seed)))


def _anisotropy(x: Floating, *, seed: int) -> Estimate:
    """On the scale of the length of the mean direction; chance is the mean for directions spread evenly."""
    unit, note = _directions(x)
    total, n = unit.sum(axis=0, dtype=np.float64), len(unit)
    without = [
        _mean_cosine(total - unit[part].sum(axis=0, dtype=np.float64), n - len(part)) for part in groups(n, seed=seed)
    ]
    scale = root(-1 / (n - 1)) if n > 1 else PLAIN
    return Estimate(_mean_cosine(total, n), n, without, chance=0.0, scale=scale, note=note)


def _first_component(x: Floating, *, seed: int) -> Estimate:
    """On the scale of logarithms.

    Chance is the level of as many rows of independent equal variances: the edge of Marchenko and Pastur's law over the
    dimension, at most 1.
    """
    rows = check_space(x)
    n, dim = rows.shape
    over = Rows.of(rows)
    total = over.sums()
    without = [_first_share(total - over.sums(part)) for part in groups(n, seed=seed)]
    chance = min(1.0, (1 + math.sqrt(dim / max(1, n))) ** 2 / dim)
    return Estimate(_first_share(total), n, without, chance, scale=LOG)


def _norm_spread(x: Floating, *, seed: int) -> Estimate:
    """On the scale of logarithms over 10 groups.

    Chance is the level of rows of independent normal coordinates of equal variance: ``sqrt(d / E^2 - 1)``, E the mean
    length ``sqrt(2) G((d + 1) / 2) / G(d / 2)``, about ``1 / sqrt(2 d)``.
    """
    norms, dim = lengths(check_space(x)), x.shape[1]
    mean = math.exp(math.lgamma((dim + 1) / 2) - math.lgamma(dim / 2)) * math.sqrt(2)
    without = [_variation(np.delete(norms, part)) for part in groups(len(norms), seed=seed, count=FEWER)]
    return Estimate(_variation(norms), len(norms), without, math.sqrt(dim / mean**2 - 1), scale=LOG)


def _uniformity(x: Floating, *, pairs: int, seed: int) -> Estimate:
    """Leave out all pairs with a row in the group; chance is the level on an evenly filled sphere of d dimensions."""
    unit, note = _directions(x)
    n = len(unit)
    i, j = row_pairs(n, int(pairs), seed=seed)
    potentials = _potentials(unit, i, j)
    without = [_log_mean(potentials[kept]) for kept in kept_pairs(n, i, j, seed=seed)]
    notes = "; ".join(filter(None, (note, sampled(n, len(i)))))
    return Estimate(_log_mean(potentials), n, without, even_potential(x.shape[1]), note=notes or None)


def _directions(x: Floating) -> tuple[Floating, str | None]:
    """Return the rows that have a direction, with length 1, and how many have none."""
    unit, empty = unit_rows(check_space(x))
    return unit, f"{empty} of {len(x)} rows have length 0 and are left out" if empty else None


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


def _first_share(sums: Sums) -> float:
    if not sums.has_spread:
        return math.nan
    return min(1.0, float(np.linalg.eigvalsh(sums.centred)[-1] / np.trace(sums.centred)))


def _variation(norms: Doubles) -> float:
    return float(norms.std(ddof=1) / norms.mean()) if len(norms) > 1 and norms.any() else math.nan


def _potentials(unit: Floating, i: IntArray, j: IntArray) -> Doubles:
    return np.exp(-HEAT * squared_distances(unit, i, j))


def _log_mean(potentials: Doubles) -> float:
    return math.log(float(potentials.mean())) if len(potentials) else math.nan


ANISOTROPY = Measure(
    function=anisotropy,
    needs="one space",
    direction="rows point more the same way",
    range=(-1.0, 1.0),
    symmetric=True,
    invariances=("rotation", "scaling", "scaling of single rows", "order of the rows"),
    cutoff=False,
    scorer=Jackknifed(estimate=_anisotropy),
)
FIRST_COMPONENT = ANISOTROPY.variant(
    function=first_component,
    direction="more of the variance on one axis",
    range=(0.0, 1.0),
    invariances=("rotation", "scaling", "shift", "order of the rows"),
    scorer=Jackknifed(estimate=_first_component),
)
NORM_SPREAD = ANISOTROPY.variant(
    function=norm_spread,
    direction="lengths differ more, so cosine and inner product do too",
    range=(0.0, math.inf),
    invariances=("rotation", "scaling", "order of the rows"),
    scorer=Jackknifed(estimate=_norm_spread),
)
UNIFORMITY = ANISOTROPY.variant(
    function=uniformity,
    direction="directions closer together",
    range=(-4 * HEAT, 0.0),
    scorer=Jackknifed(estimate=_uniformity),
    parameters=SAMPLE,
)
