"""One pass over the rows of two spaces: the sums from which every measure of their geometry follows.

Nothing here grows with the number of rows: d x d matrices and vectors of length d are all that is kept. Sums add up,
so those without some rows are those of all rows minus those of the few: that is what makes the jackknife cheap. And
when the rows of one space change places, only what it has in common with the other is summed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import IntArray

Floating = npt.NDArray[np.floating[Any]]

BLOCK = 4096  # rows of one product: long enough for the BLAS, small enough to stay near the cache
EQUAL = 1e-12  # a share of spread below this is rounding: float32 vectors hold 6e-8, squared
SMALL = 8192  # rows up to which products are made in float64: their time does not matter there, their digits do


@dataclass(frozen=True, eq=False)
class _Summed:
    """A dataclass of sums over rows."""

    def __sub__(self, part: Self) -> Self:
        """Return the sums without the rows of ``part`` (taken with the same shift)."""
        return type(self)(**{each.name: getattr(self, each.name) - getattr(part, each.name) for each in fields(self)})


@dataclass(frozen=True, eq=False)
class Sums(_Summed):
    """Sums over the rows x_i of one space, (n, d), each shifted by one fixed vector (near their mean).

    With ``k_i = |x_i|^2``, all float64:

    Parameters
    ----------
    n : int
        Rows.
    x : ndarray, shape (d,)
        Sum of the rows.
    xx : ndarray, shape (d, d)
        X'X, not centred.
    k, kk : float
        Sums of k_i and of their squares.
    xk : ndarray, shape (d,)
        Sum of ``k_i x_i``.
    far : float
        n times the squared length of the shift: the scale that spread has to be told apart from.
    """

    n: int
    x: Doubles
    xx: Doubles
    k: float
    kk: float
    xk: Doubles
    far: float

    @cached_property
    def centred(self) -> Doubles:
        """Xc'Xc (d, d) of the centred space."""
        return self.xx - np.outer(self.x, self.x) / self.n

    @cached_property
    def axes(self) -> tuple[Doubles, Doubles]:
        """Eigenvalues of Xc'Xc (d,), falling, and its eigenvectors (d, d), one a column."""
        values, vectors = np.linalg.eigh(self.centred)
        return values[::-1], vectors[:, ::-1]

    @property
    def has_spread(self) -> bool:
        """Whether the rows differ, by more than the rounding of float32 vectors."""
        return self.n > 1 and float(np.trace(self.centred)) > EQUAL * (self.k + self.far)


@dataclass(frozen=True, eq=False)
class Moments(_Summed):
    """Sums over the rows x_i of X (n, d1) and y_i of Y (n, d2), each of them alone and both together.

    Parameters
    ----------
    left, right : Sums
        Of X and of Y; k_i and l_i are their squared lengths.
    xy : ndarray, shape (d1, d2)
        X'Y, not centred.
    xl : ndarray, shape (d1,)
        Sum of ``l_i x_i``.
    yk : ndarray, shape (d2,)
        Sum of ``k_i y_i``.
    kl : float
        Sum of ``k_i l_i``.
    """

    left: Sums
    right: Sums
    xy: Doubles
    xl: Doubles
    yk: Doubles
    kl: float

    @property
    def n(self) -> int:
        """Rows."""
        return self.left.n

    @property
    def dims(self) -> tuple[int, int]:
        """Both dimensions."""
        return len(self.left.x), len(self.right.x)

    @property
    def has_spread(self) -> bool:
        """Whether the rows of both spaces differ."""
        return self.left.has_spread and self.right.has_spread

    @cached_property
    def centred(self) -> Doubles:
        """Xc'Yc (d1, d2) of the centred spaces."""
        return self.xy - np.outer(self.left.x, self.right.x) / self.n

    @cached_property
    def nuclear(self) -> float:
        """Sum of the singular values of Xc'Yc."""
        return float(np.linalg.svd(self.centred, compute_uv=False).sum())


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one space to pass over, in whatever order and number, always with the same shift and precision.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    shift : ndarray of float64, shape (d,)
        Taken off every row first: the column means, so that large means cost no digits.
    precision : type
        Of the matrix products; every sum over blocks is float64.
    """

    vectors: Floating
    shift: Doubles
    precision: type[np.floating[Any]]

    @classmethod
    def of(cls, x: Floating, precision: type[np.floating[Any]] | None = None) -> Rows:
        """Prepare passes over a checked space; ``precision`` None means float64 up to 8,192 rows, float32 above."""
        if precision is None:
            precision = np.float64 if len(x) <= SMALL else np.float32
        return cls(x, x.sum(axis=0, dtype=np.float64) / max(1, len(x)), precision)

    def blocks(self, rows: IntArray | None) -> Iterator[tuple[Doubles, Floating, Doubles]]:
        """Yield some thousand of the given rows at a time (all when None), shifted, also in the precision of products.

        And their squared lengths.
        """
        for part in _blocks(len(self.vectors) if rows is None else rows):
            block: Doubles = self.vectors[part] - self.shift
            yield block, block.astype(self.precision, copy=False), np.einsum("ij,ij->i", block, block)

    def sums(self, rows: IntArray | None = None) -> Sums:
        """Return the sums over ``rows``, all when None."""
        n, dim = len(self.vectors) if rows is None else len(rows), self.vectors.shape[1]
        x, xx, k, kk, xk = np.zeros(dim), np.zeros((dim, dim)), 0.0, 0.0, np.zeros(dim)
        for block, narrow, lengths in self.blocks(rows):
            x += block.sum(axis=0)
            xx += narrow.T @ narrow
            k += float(lengths.sum())
            kk += float(lengths @ lengths)
            xk += lengths @ block
        return Sums(n, x, xx, k, kk, xk, n * float(self.shift @ self.shift))


@dataclass(frozen=True, eq=False)
class Pass:
    """The rows of two spaces to pass over together."""

    left: Rows
    right: Rows

    @classmethod
    def over(cls, x: Floating, y: Floating, precision: type[np.floating[Any]] | None = None) -> Pass:
        """Prepare passes over two checked spaces of the same rows, as `Rows.of`."""
        return cls(Rows.of(x, precision), Rows.of(y, precision))

    def moments(self, rows: IntArray | None = None) -> Moments:
        """Return the sums over ``rows``, all when None."""
        return self._together(self.left.sums(rows), self.right.sums(rows), rows, rows)

    def reordered(self, total: Moments, order: IntArray) -> Moments:
        """Return the sums with row ``order[i]`` of Y beside row i of X, given those of all rows as they are."""
        return self._together(total.left, total.right, None, order)

    def _together(self, left: Sums, right: Sums, ours: IntArray | None, theirs: IntArray | None) -> Moments:
        xy, xl, yk, kl = np.zeros((len(left.x), len(right.x))), np.zeros(len(left.x)), np.zeros(len(right.x)), 0.0
        both = zip(self.left.blocks(ours), self.right.blocks(theirs), strict=True)
        for (x, narrow_x, k), (y, narrow_y, lengths) in both:
            xy += narrow_x.T @ narrow_y
            xl += lengths @ x
            yk += k @ y
            kl += float(k @ lengths)
        return Moments(left, right, xy, xl, yk, kl)


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


def _blocks(rows: int | IntArray) -> Iterator[Any]:
    """Slices of so many rows, or pieces of the given row numbers."""
    count = rows if isinstance(rows, int) else len(rows)
    for start in range(0, count, BLOCK):
        part = slice(start, min(start + BLOCK, count))
        yield part if isinstance(rows, int) else rows[part]
