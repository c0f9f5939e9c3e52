"""How alike two spaces are after the best linear map: canonical correlations, Procrustes distance, shape angle.

Canonical correlations are taken after the directions that carry nothing are taken out: SVCCA and PWCCA.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from embdiff.measures.base import Parameter
from embdiff.measures.cka import CKA
from embdiff.measures.from_sums import FromSums
from embdiff.measures.moments import Moments, Sums, moments
from embdiff.measures.statistics.quantiles import Doubles

VARIANCE = 0.99
RANK = 1e-10  # share of the largest eigenvalue of X'X that float32 vectors can leave in an empty direction


def svcca(x: npt.ArrayLike, y: npt.ArrayLike, *, variance: float = VARIANCE) -> float:
    """Return the mean canonical correlation of the principal components that hold a share of each space's variance.

    ``mean_i rho_i, rho the canonical correlations of the leading components of X and Y``. Centre, keep in each space
    the fewest principal components that hold ``variance`` of its variance, take the canonical correlations of the two
    sets: their mean over ``min(components)``.

    Parameters
    ----------
    x, y : array of float, shapes (n, d1) and (n, d2)
    variance : float
        In (0, 1]. Even at 1, directions below 1e-10 of the largest variance are left out: they are rounding.

    Returns
    -------
    float
        In [0, 1]. NaN when n <= max(d1, d2), or a space has no spread. Up to so many rows correlations of 1 can be had
        from any two spaces.

    Notes
    -----
    By chance the mean over 5 random orders of the rows; near 1 when there are few more rows than dimensions.

    References
    ----------
    Raghu et al. 2017, arXiv 1706.05806.
    """
    return mean_correlation(moments(x, y, precision=np.float64), variance)


def pwcca(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return the canonical correlations weighted by how much of the first space they account for.

    ``sum_i a_i rho_i / sum_i a_i, a_i = sum_j |<h_i, x_j>|, h_i the canonical variates of X``, of unit length, and x_j
    its centred columns.

    Parameters
    ----------
    x, y : array of float, shapes (n, d1) and (n, d2)

    Returns
    -------
    float
        In [0, 1]. Not symmetric, and changed by a rotation of X, whose axes enter the weights; unchanged by any
        invertible linear map of Y. NaN when n <= max(d1, d2), or a space has no spread; two or more correlations, but
        not all, are 1 (as for d1 + d2 > n). The weights are then not unique.

    Notes
    -----
    By chance the mean over 5 random orders of the rows; near 1 when there are few more rows than dimensions.

    References
    ----------
    Morcos et al. 2018, arXiv 1806.05759, section 3 (the released code weights by the space with fewer directions;
    here, as in the paper, it is always the first).
    """
    return weighted_correlation(moments(x, y, precision=np.float64))


def mean_correlation(sums: Moments, variance: float = VARIANCE) -> float:
    """`svcca` of sums made in float64."""
    if not enough(sums):
        return math.nan
    return float(_correlated(sums, variance)[1].mean())


def weighted_correlation(sums: Moments) -> float:
    """`pwcca` of sums made in float64."""
    if not enough(sums):
        return math.nan
    variates, correlations = _correlated(sums, 1.0)
    if not unique(correlations):
        return math.nan
    weights = np.abs(variates.T @ sums.left.centred).sum(axis=1)
    return float(weights @ correlations / weights.sum())


def enough(sums: Moments) -> bool:
    """Whether there are more rows than dimensions, and spread in both spaces."""
    return sums.n > max(sums.dims) and sums.has_spread


def unique(correlations: Doubles) -> bool:
    """Whether weights can be told: variates that share a correlation of 1 can be turned among themselves at will."""
    ones = int(np.count_nonzero(correlations > 1 - 1e-9))
    return ones < 2 or ones == len(correlations)


def _correlated(sums: Moments, variance: float) -> tuple[Doubles, Doubles]:
    """Return the maps of X to its canonical variates (d1, m), and the correlations (m,)."""
    left, right = _whitening(sums.left, variance), _whitening(sums.right, variance)
    turns, correlations, _ = np.linalg.svd(left.T @ sums.centred @ right, full_matrices=False)
    # Rounding alone can carry a correlation past 1.
    return left @ turns, np.minimum(correlations, 1.0)


def _whitening(space: Sums, variance: float) -> Doubles:
    """Return W (d, r) with W' Xc'Xc W = 1 over the fewest leading directions that hold ``variance`` of it."""
    values, vectors = space.axes
    rank = int(np.count_nonzero(values > RANK * values[0]))
    shares = np.cumsum(values[:rank]) / values[:rank].sum()
    # A share that reaches the mark up to rounding has reached it.
    kept = min(rank, int(np.searchsorted(shares, variance - 1e-12)) + 1)
    return vectors[:, :kept] / np.sqrt(values[:kept])


SVCCA = CKA.variant(
    function=svcca,
    direction="more alike up to a linear map of the leading components",
    range=(0.0, 1.0),
    scorer=FromSums(value=mean_correlation, exact=True),
    parameters={"variance": Parameter(VARIANCE, 0.01, 1.0, "share of the variance that is kept")},
)
PWCCA = SVCCA.variant(
    function=pwcca,
    direction="more of the first space is a linear map of the second",
    symmetric=False,
    invariances=("any invertible linear map of the second space", "scaling", "shift", "order of the rows"),
    scorer=FromSums(
        value=weighted_correlation,
        exact=True,
        spread_out="two or more canonical correlations are 1: there are too few rows for their weights to be unique",
    ),
    parameters={},
)


def procrustes(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return the distance that is left between two spaces after the closest rotation.

    ``sqrt(2 - 2 |X'Y|_*), X and Y centred, of Frobenius norm 1, zero-padded to one dimension`` (which changes no
    singular value of X'Y, so it need not be done): the orthogonal Procrustes distance ``min_R |X - YR|_F``. ``|.|_*``
    is the nuclear norm, the sum of singular values.

    Parameters
    ----------
    x, y : array of float, shapes (n, d1) and (n, d2)

    Returns
    -------
    float
        In [0, sqrt(2)], 0 for spaces that differ by rotation, scaling and shift; a metric. NaN when there are fewer
        than 2 rows, or a space has no spread. Above 8,192 rows products are float32: a distance below about 1e-3 is
        then rounding.

    Notes
    -----
    By chance the mean over 5 random orders of the rows; far from the top for few rows of many dimensions.

    References
    ----------
    Ding et al. 2021, arXiv 2108.01661 (who report the square); Williams et al. 2021, arXiv 2110.14739; Schönemann 1966.
    """
    return distance(moments(x, y))


def shape_angle(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return the angle between two spaces as shapes, in radians.

    ``arccos |X'Y|_*, X and Y centred, of Frobenius norm 1, zero-padded to one dimension``.

    Parameters
    ----------
    x, y : array of float, shapes (n, d1) and (n, d2)

    Returns
    -------
    float
        In [0, pi/2]; a metric. NaN when there are fewer than 2 rows, or a space has no spread. Rounded as `procrustes`.

    Notes
    -----
    By chance the mean over 5 random orders of the rows; far from the top for few rows of many dimensions.

    References
    ----------
    Williams et al. 2021, arXiv 2110.14739.
    """
    return angle(moments(x, y))


def distance(sums: Moments) -> float:
    """`procrustes` of sums."""
    return math.sqrt(2 - 2 * _agreement(sums))


def angle(sums: Moments) -> float:
    """`shape_angle` of sums."""
    return math.acos(_agreement(sums))


def _agreement(sums: Moments) -> float:
    """Return the nuclear norm of X'Y for unit shapes, at most 1; NaN without spread."""
    if not sums.has_spread:
        return math.nan
    squared = np.trace(sums.left.centred) * np.trace(sums.right.centred)
    return min(1.0, sums.nuclear / math.sqrt(float(squared)))


PROCRUSTES = CKA.variant(
    function=procrustes,
    direction="less alike geometry",
    range=(0.0, math.sqrt(2)),
    scorer=FromSums(value=distance),
    best=0.0,
)
SHAPE_ANGLE = PROCRUSTES.variant(
    function=shape_angle,
    range=(0.0, math.pi / 2),
    scorer=FromSums(value=angle),
)
