"""How far two spaces stay apart after the rotation that brings them closest: Procrustes distance and shape angle."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from embdiff.measures.cka import CKA
from embdiff.measures.from_sums import FromSums
from embdiff.measures.moments import Moments, moments


def procrustes(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return the orthogonal Procrustes distance of two shapes: ``min_R |X - YR|_F = sqrt(2 - 2 |X'Y|_*)``.

    Both spaces are centred and brought to Frobenius norm 1; the smaller dimension is padded with zeros (which changes
    no singular value of X'Y, so it need not be done). ``|.|_*`` is the nuclear norm, the sum of singular values.

    Parameters
    ----------
    x, y : array of float, shapes (n, d1) and (n, d2)

    Returns
    -------
    float
        In [0, sqrt(2)], 0 for spaces that differ by rotation, scaling and shift; a metric. NaN when a space has no
        spread. Above 8,192 rows products are float32: a distance below about 1e-3 is then rounding.

    References
    ----------
    Ding et al. 2021, arXiv 2108.01661 (who report the square); Williams et al. 2021, arXiv 2110.14739; Schönemann 1966.
    """
    return distance(moments(x, y))


def shape_angle(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return the angular shape distance: ``arccos |X'Y|_*`` of centred spaces of Frobenius norm 1.

    Parameters
    ----------
    x, y : array of float, shapes (n, d1) and (n, d2)

    Returns
    -------
    float
        Radians in [0, pi/2]; a metric. Defined, and rounded, as `procrustes`.

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


PROCRUSTES = replace(
    CKA,
    name="procrustes",
    function=procrustes,
    summary="distance that is left between two spaces after the closest rotation",
    formula="sqrt(2 - 2 |X'Y|_*), X and Y centred, of Frobenius norm 1, zero-padded to one dimension",
    direction="less alike geometry",
    range=(0.0, math.sqrt(2)),
    undefined_when="fewer than 2 rows, or a space without spread",
    chance="mean over 5 random orders of the rows; far from the top for few rows of many dimensions",
    reference="Ding et al. 2021, arXiv 2108.01661; Williams et al. 2021, arXiv 2110.14739",
    scorer=FromSums(value=distance),
    best=0.0,
)
SHAPE_ANGLE = replace(
    PROCRUSTES,
    name="shape_angle",
    function=shape_angle,
    summary="angle between two spaces as shapes, in radians",
    formula="arccos |X'Y|_*, X and Y centred, of Frobenius norm 1, zero-padded to one dimension",
    range=(0.0, math.pi / 2),
    reference="Williams et al. 2021, arXiv 2110.14739",
    scorer=FromSums(value=angle),
)
