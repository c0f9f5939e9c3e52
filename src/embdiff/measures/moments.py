"""One pass over the rows of two spaces: the sums from which every measure of their geometry follows.

Nothing here grows with the number of rows: d x d matrices and vectors of length d are all that is kept. Sums add up,
so those without some rows are those of all rows minus those of the few: that is what makes the jackknife cheap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError

Doubles = npt.NDArray[np.float64]
Floating = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.int64]

BLOCK = 4096  # rows of one product: long enough for the BLAS, small enough to stay near the cache
EQUAL = 1e-12  # a share of spread below this is rounding: float32 vectors hold 6e-8, squared
SMALL = 8192  # rows up to which products are made in float64: their time does not matter there, their digits do


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the rows x_i of X (n, d1) and y_i of Y (n, d2), each shifted by one fixed vector (near its mean).

    With ``k_i = |x_i|^2`` and ``l_i = |y_i|^2``, all float64:

    Parameters
    ----------
    n : int
        Rows.
    x, y : ndarray, shapes (d1,) and (d2,)
        Sums of the rows.
    xx, yy, xy : ndarray, shapes (d1, d1), (d2, d2) and (d1, d2)
        X'X, Y'Y, X'Y, not centred.
    k, l, kk, ll, kl : float
        Sums of k_i, l_i, their squares and their product.
    xk, xl, yk, yl : ndarray, shapes (d1,), (d1,), (d2,), (d2,)
        Sums of ``k_i x_i``, ``l_i x_i``, ``k_i y_i`` and ``l_i y_i``.
    far_x, far_y : float
        n times the squared length of the shift: the scale that spread has to be told apart from.
    """

    n: int
    x: Doubles
    y: Doubles
    xx: Doubles
    yy: Doubles
    xy: Doubles
    k: float
    l: float  # noqa: E741 - the letters of the formulas
    kk: float
    ll: float
    kl: float
    xk: Doubles
    xl: Doubles
    yk: Doubles
    yl: Doubles
    far_x: float
    far_y: float

    def __sub__(self, part: Moments) -> Moments:
        """Return the sums without the rows of ``part`` (taken with the same shift)."""
        return Moments(**{item.name: getattr(self, item.name) - getattr(part, item.name) for item in fields(self)})

    @property
    def has_spread(self) -> bool:
        """Whether the rows of both spaces differ, by more than the rounding of float32 vectors."""
        if self.n < 2:
            return False
        left, right = (float(np.trace(scatter)) for scatter in self.centred[:2])
        return left > EQUAL * (self.k + self.far_x) and right > EQUAL * (self.l + self.far_y)

    @cached_property
    def centred(self) -> tuple[Doubles, Doubles, Doubles]:
        """Xc'Xc (d1, d1), Yc'Yc (d2, d2) and Xc'Yc (d1, d2) of the centred spaces."""
        return (
            self.xx - np.outer(self.x, self.x) / self.n,
            self.yy - np.outer(self.y, self.y) / self.n,
            self.xy - np.outer(self.x, self.y) / self.n,
        )

    @cached_property
    def nuclear(self) -> float:
        """Sum of the singular values of Xc'Yc."""
        return float(np.linalg.svd(self.centred[2], compute_uv=False).sum())


@dataclass(frozen=True, eq=False)
class Pass:
    """The rows to pass over, in whatever order and number, always with the same shift and precision.

    Parameters
    ----------
    vectors : tuple of ndarray, shapes (n, d1) and (n, d2)
        The same array twice for one space alone: its products are then made once.
    shifts : tuple of ndarray of float64, shapes (d1,) and (d2,)
        Taken off every row first: the column means, so that large means cost no digits.
    precision : type
        Of the matrix products; every sum over blocks is float64.
    """

    vectors: tuple[Floating, Floating]
    shifts: tuple[Doubles, Doubles]
    precision: type[np.floating[Any]]

    @classmethod
    def over(cls, x: Floating, y: Floating, precision: type[np.floating[Any]] | None = None) -> Pass:
        """Prepare passes over two checked spaces; ``precision`` None means float64 up to 8,192 rows, float32 above."""
        if precision is None:
            precision = np.float64 if len(x) <= SMALL else np.float32
        shift = _means(x)
        return cls((x, y), (shift, shift if y is x else _means(y)), precision)

    def moments(self, rows: Indices | None = None, partner: Indices | None = None) -> Moments:
        """Return the sums over ``rows`` (all when None).

        Row ``partner[i]`` of Y stands beside row i of X when given: that is how unrelated spaces are imitated.
        """
        x, y = self.vectors
        alone = x is y and partner is None
        sums = _empty(x.shape[1], y.shape[1])
        for part in _blocks(len(x) if rows is None else rows):
            left = self._block(0, part)
            right = left if alone else self._block(1, part if partner is None else partner[part])
            _add(sums, left, right, self.precision)
        count = len(x) if rows is None else len(rows)
        far_x, far_y = (count * float(shift @ shift) for shift in self.shifts)
        plain: dict[str, Any] = {n: float(value) if np.ndim(value) == 0 else value for n, value in sums.items()}
        return Moments(n=count, far_x=far_x, far_y=far_y, **plain)

    def _block(self, side: int, part: slice | Indices) -> Doubles:
        shifted: Doubles = self.vectors[side][part] - self.shifts[side]
        return shifted


def moments(x: npt.ArrayLike, y: npt.ArrayLike, *, precision: type[np.floating[Any]] | None = None) -> Moments:
    """Return the sums of two spaces of the same rows.

    Parameters
    ----------
    x, y : array of float, shapes (n, d1) and (n, d2)
        Finite.
    precision : type, optional
        Of the matrix products; None means float64 up to 8,192 rows and float32 above. All sums over blocks of 4,096
        rows are float64.

    Returns
    -------
    Moments
        Memory O(d1^2 + d2^2 + d1 d2), whatever n is.

    Raises
    ------
    ShapeError, ParameterError
        As `check_pair`.
    """
    return Pass.over(*check_pair(x, y), precision).moments()


def check_space(x: npt.ArrayLike, name: str = "A space") -> Floating:
    """Return the rows of one space as a floating array (n, d).

    Raises
    ------
    ShapeError
        When it is not of shape (n, d) with d at least 1.
    ParameterError
        When a number in it is not finite.
    """
    array = np.asarray(x)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ShapeError(f"{name} must be an array of shape (n, d). Got {array.shape}. Pass one vector per row.")
    for part in _blocks(len(array)):
        if not np.isfinite(array[part]).all():
            raise ParameterError(f"{name} must hold finite numbers. Got NaN or infinity. Encode those rows again.")
    return array


def check_pair(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floating, Floating]:
    """Return the rows of two spaces as floating arrays (n, d1) and (n, d2).

    Raises
    ------
    ShapeError
        When the shapes do not fit, in particular when the numbers of rows differ.
    ParameterError
        When a number is not finite.
    """
    left = check_space(x)
    right = left if y is x else check_space(y)
    if len(left) != len(right):
        raise ShapeError(
            f"Two spaces must hold the same rows. Got {len(left)} and {len(right)}. Encode the same items with both."
        )
    return left, right


def _means(x: Floating) -> Doubles:
    means: Doubles = x.sum(axis=0, dtype=np.float64) / max(1, len(x))
    return means


def _blocks(rows: int | Indices) -> Iterator[Any]:
    """Slices of so many rows, or pieces of the given row numbers."""
    count = rows if isinstance(rows, int) else len(rows)
    for start in range(0, count, BLOCK):
        part = slice(start, min(start + BLOCK, count))
        yield part if isinstance(rows, int) else rows[part]


def _empty(left: int, right: int) -> dict[str, Any]:
    shapes = {"x": left, "xk": left, "xl": left, "y": right, "yk": right, "yl": right}
    squares = {"xx": (left, left), "yy": (right, right), "xy": (left, right)}
    numbers = {name: np.zeros(()) for name in ("k", "l", "kk", "ll", "kl")}
    return {name: np.zeros(shape) for name, shape in (shapes | squares).items()} | numbers


def _add(sums: dict[str, Any], x: Doubles, y: Doubles, precision: type[np.floating[Any]]) -> None:
    """Add one block: products of rows in the given precision, every sum in float64."""
    alone = y is x
    k = np.einsum("ij,ij->i", x, x)
    lengths = k if alone else np.einsum("ij,ij->i", y, y)
    # Three weighted sums of the rows in one product: 1, k and l stand beside each other.
    weights = np.stack([np.ones_like(k), k, lengths])
    for side, rows in (("x", x), ("y", y)):
        plain, by_k, by_l = weights @ rows
        sums[side] += plain
        sums[side + "k"] += by_k
        sums[side + "l"] += by_l
    left = x.astype(precision, copy=False)
    right = left if alone else y.astype(precision, copy=False)
    xx = left.T @ left
    sums["xx"] += xx
    sums["yy"] += xx if alone else right.T @ right
    sums["xy"] += xx if alone else left.T @ right
    sums["k"] += k.sum()
    sums["l"] += lengths.sum()
    sums["kk"] += k @ k
    sums["ll"] += lengths @ lengths
    sums["kl"] += k @ lengths
