"""Linear maps from one space into another: an orthogonal one with a scale, regression, regression of lower rank."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from embdiff.errors import UnknownNameError
from embdiff.records import FloatArray, Method, Metric

Doubles = npt.NDArray[np.float64]
METHODS: tuple[Method, ...] = get_args(Method)

_PENALTIES = 10.0 ** np.arange(-6.0, 2.0)  # of the largest eigenvalue
_NEIGHBORS, _FEWEST, _MOST = 10, 10, 1_000  # found again; rows between which the penalty is chosen by that
_RANK = 1e-10  # of the largest singular value: below, it is rounding


@dataclass(frozen=True, eq=False)
class Map:
    """``x -> (x - source_centre) @ matrix + target_centre``, of vectors brought to length 1 first where that was so.

    Parameters
    ----------
    method : {"procrustes", "ridge", "low-rank"}
    matrix : ndarray of float64, shape (d, e)
        Its scale is in it.
    source_centre, target_centre : ndarray of float64, shapes (d,) and (e,)
    unit : bool
        Whether only the direction of a vector counts (cosine).
    scale : float
        Of the rotation; NaN for maps that are none.
    penalty : float
        Of ridge and low-rank, in squared units of the source's vectors; NaN for others.
    rank : int
        Of the matrix.
    """

    method: Method
    matrix: Doubles
    source_centre: Doubles
    target_centre: Doubles
    unit: bool
    scale: float = math.nan
    penalty: float = math.nan
    rank: int = 0

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """Return where vectors (n, d) lead to, float32 (n, e)."""
        mapped = (_directions(vectors, self.unit) - self.source_centre) @ self.matrix + self.target_centre
        return np.asarray(mapped, dtype=np.float32)


def fit(
    source: FloatArray, target: FloatArray, method: Method, *, metric: Metric = "cosine", penalty: float | None = None
) -> Map:
    """Fit one map from rows of one space (n, d) to the same rows of another (n, e).

    Parameters
    ----------
    source, target : ndarray of float32, shapes (n, d) and (n, e)
    method : {"procrustes", "ridge", "low-rank"}
    metric : {"cosine", "ip", "l2"}
        With cosine vectors are brought to length 1 first.
    penalty : float, optional
        Of ridge and low-rank, above 0. By default one of eight, 1e-6 to 10 times the largest eigenvalue of the scatter
        of the source: the one with which rows that are left out find most of their own nearest neighbours again among
        the others (10, of fewer than 100 rows a tenth); with the smallest leave-one-out error where these are as many,
        below 10 rows, and above 1,000, where both choose alike.

    Returns
    -------
    Map
        ``procrustes``: the matrix nearest to a solution among those that keep all angles, the smaller space padded
        with zeros, times one scale; directions in which no row lies lead nowhere. ``ridge``: regression of each
        coordinate with one penalty. ``low-rank``: that, cut to the first directions of its fitted values, as many as
        have the smallest leave-one-out error with the directions held fixed.
    """
    unit = metric == "cosine"
    x, y = _directions(source, unit), _directions(target, unit)
    centres = x.mean(axis=0), y.mean(axis=0)
    x, y = x - centres[0], y - centres[1]
    if method == "procrustes":
        matrix, scale, rank = _procrustes(x, y)
        return Map(method, matrix, *centres, unit, scale=scale, rank=rank)
    matrix, chosen, rank = _ridge(x, y, penalty, _loss(y, centres[1], metric), low_rank=method == "low-rank")
    return Map(method, matrix, *centres, unit, penalty=chosen, rank=rank)


def _procrustes(x: Doubles, y: Doubles) -> tuple[Doubles, float, int]:
    """Return the scaled orthogonal map, its scale and its rank; spaces of different dimension as if padded with zeros.

    The products of padded matrices have the same singular vectors, up to rows and columns of zeros.
    """
    left, values, right = np.linalg.svd(x.T @ y, full_matrices=False)
    size = float((x**2).sum())
    rank = int(np.count_nonzero(values > _RANK * values[0])) if values[0] > 0 else 0
    scale = float(values.sum()) / size if size > 0 else 0.0
    return scale * (left[:, :rank] @ right[:rank]), scale, rank


def _ridge(
    x: Doubles, y: Doubles, penalty: float | None, loss: Callable[[Doubles], tuple[float, float]], *, low_rank: bool
) -> tuple[Doubles, float, int]:
    """Return the coefficients of a regression with a penalty, the penalty, and their rank.

    ``loss`` says how bad the values are that rows would have if they were left out.
    """
    left, values, right = np.linalg.svd(x, full_matrices=False)
    known = values > _RANK * max(float(values[0]), np.finfo(np.float64).tiny)
    left, values, right = left[:, known], values[known], right[known]
    target = left.T @ y

    def fitted(chosen: float) -> tuple[Doubles, Doubles]:
        """Return the fitted values and those that each row would have if it were left out."""
        shrunk = values**2 / (values**2 + chosen)
        within = left @ (shrunk[:, None] * target)
        leverage = (left**2) @ shrunk + 1.0 / len(x)  # the mean is fitted, too
        return within, y - (y - within) / np.maximum(1.0 - leverage, _RANK)[:, None]

    if penalty is None:
        tried = (_PENALTIES * values[0] ** 2).tolist() if values.size else [1.0]
        penalty = min(tried, key=lambda chosen: loss(fitted(chosen)[1]))
    matrix = right.T @ ((values / (values**2 + penalty))[:, None] * target)
    if not low_rank:
        return matrix, penalty, min(len(values), y.shape[1])
    within, without = fitted(penalty)
    directions = np.linalg.svd(within, full_matrices=False)[2]
    seen, wanted = without @ directions.T, y @ directions.T
    gained = np.cumsum((2.0 * wanted * seen - seen**2).sum(axis=0))
    kept = directions[: int(np.argmax(gained)) + 1]
    return matrix @ kept.T @ kept, penalty, len(kept)


def _loss(y: Doubles, centre: Doubles, metric: Metric) -> Callable[[Doubles], tuple[float, float]]:
    """Return what tells how bad values (n, e) of rows that were left out are: neighbours not found again, then error.

    Squared error alone takes too strong a penalty where rows are few: it gains by pulling everything to the centre.
    """
    n, few = len(y), min(_NEIGHBORS, len(y) // _NEIGHBORS)
    target = y + centre

    def nearest(asking: Doubles) -> Doubles:
        """Return where the nearest other rows are, (n, n) of 0 and 1."""
        near = (_directions(asking, True) if metric == "cosine" else asking) @ target.T
        near = 2.0 * near - (target**2).sum(axis=1) if metric == "l2" else near
        np.fill_diagonal(near, -np.inf)
        chosen = np.zeros((n, n))
        np.put_along_axis(chosen, np.argpartition(-near, few - 1, axis=1)[:, :few], 1.0, axis=1)
        return chosen

    own = nearest(target) if _FEWEST <= n <= _MOST else None

    def loss(without: Doubles) -> tuple[float, float]:
        found = 0.0 if own is None else float((nearest(without + centre) * own).sum())
        return -found, float(((y - without) ** 2).sum())

    return loss


def _directions(vectors: FloatArray | Doubles, unit: bool) -> Doubles:
    """Return vectors in float64, of length 1 where only their direction counts; a zero one stays as it is."""
    found = vectors.astype(np.float64)
    if not unit:
        return found
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    np.divide(found, lengths, out=found, where=lengths > 0)
    return found


def check_method(method: str) -> None:
    """Refuse a method that there is not."""
    if method not in METHODS:
        raise UnknownNameError(f"A map must be one of {', '.join(METHODS)}. Got {method!r}. Choose one of these.")
