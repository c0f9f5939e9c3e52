"""Float32 products that stand in for the similarity, with a proven bound on how far off they are.

Whatever the metric, ``left @ right.T`` orders the rows of a query as the similarity does, up to ``slack``. What the
bound cannot decide is decided by the float64 similarity (`_rows`): the speed of float32, the answer of float64.

Vectors that are as good as normalised already, and for ``ip`` those of ordinary length, stand in for themselves: no
copy is made. How far they are from length 1 goes into the slack.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embdiff.exact._rows import Doubles, in_parts, norms
from embdiff.records import FloatArray, IntArray, Metric

_ROUNDING = 2.0**-24  # unit roundoff of float32
_SMALLEST = 2.0**-149  # its smallest number: below, rounding is absolute
_FLUSHED = 2.0**-126  # below this a processor may take a product for zero
_NEARLY_ONE = 1e-5  # squared lengths so close to 1 need no copy of the vectors
_ORDINARY = (1e-6, 1e6)  # longest vectors between these need no copy for ip


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Scaled queries and vectors; the sums of absolute products stay near 1.

    Parameters
    ----------
    left : ndarray of float32, shape (q, D)
    right : ndarray of float32, shape (n, D)
        D = d; one or two more for l2.
    scale, shift : ndarray of float64, shape (q,)
        ``scale * similarity + shift`` is what the product approximates.
    slack : ndarray of float64, shape (q,)
        Bound on ``|product - (scale * similarity + shift)|``, the rounding of the similarity to float32 included.
    """

    left: FloatArray
    right: FloatArray
    scale: Doubles
    shift: Doubles
    slack: Doubles

    def band(self, block: slice | IntArray, similarity: Doubles) -> tuple[FloatArray, FloatArray]:
        """Return between which products the similarities (b, m) of the queries in ``block`` must lie.

        A row with a product above the band is closer than the similarity, one below is farther; both are rounded
        outwards to float32.
        """
        middle = self.scale[block, None] * similarity + self.shift[block, None]
        slack = self.slack[block, None]
        low = np.nextafter((middle - slack).astype(np.float32), np.float32(-np.inf))
        high = np.nextafter((middle + slack).astype(np.float32), np.float32(np.inf))
        return low, high


class Prepared:
    """The rows' side of a surrogate, made once and used for any queries.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, d)
        Checked.
    metric : {"cosine", "ip", "l2"}
    squares : ndarray of float64, shape (n,)
        `rough_squares` of the vectors.
    """

    def __init__(self, vectors: FloatArray, metric: Metric, squares: Doubles) -> None:
        width = vectors.shape[1]
        # What the float32 sums themselves may be off by is part of the bound.
        off = float(np.abs(squares - 1.0).max()) + (width + 2) * _ROUNDING * float(squares.max())
        self._vectors, self._metric = vectors, metric
        self._unit = bool(off <= _NEARLY_ONE + (width + 2) * _ROUNDING)
        self._off = off if self._unit else 0.0
        self._longest = float(np.sqrt(squares.max() * (1.0 + (width + 2) * _ROUNDING))) or 1.0
        if metric == "l2" and not self._unit:
            self._centre = vectors.mean(axis=0, dtype=np.float64)
            self._from_centre = norms(vectors, self._centre)
            self._radius = float(self._from_centre.max()) or 1.0
            factors = np.full(len(vectors), 1.0 / self._radius)
            self.right = _scaled(vectors, factors, self._centre, (self._from_centre / self._radius) ** 2)
        else:
            self.right = self._rescaled()

    def _rescaled(self) -> FloatArray:
        self._per = 1.0  # what the vectors were divided by, for ip
        if self._unit:
            return self._vectors
        if self._metric == "cosine":
            return _scaled(self._vectors, 1.0 / norms(self._vectors))
        if _ORDINARY[0] <= self._longest <= _ORDINARY[1]:
            return self._vectors
        self._per = self._longest
        return _scaled(self._vectors, np.full(len(self._vectors), 1.0 / self._longest))

    def asked(self, queries: FloatArray) -> Surrogate:
        """Return the surrogate for checked queries (q, d)."""
        own = norms(queries)
        if self._metric == "cosine":
            slack = np.full(len(own), self._error() + _ROUNDING + self._off + _SMALLEST)
            return Surrogate(_scaled(queries, 1.0 / own), self.right, np.ones(len(own)), np.zeros(len(own)), slack)
        if self._metric == "l2":
            return self._asked_unit_l2(queries, own) if self._unit else self._asked_l2(queries)
        own[own == 0.0] = 1.0
        top = self._longest / self._per
        scale = 1.0 / (own * self._longest)
        slack = self._error() + _ROUNDING + _SMALLEST * scale
        return Surrogate(_scaled(queries, 1.0 / (own * top)), self.right, scale, np.zeros(len(own)), slack)

    def _error(self) -> float:
        # Higham 2002, eq. 3.5: any order of summation stays within width * u / (1 - width * u) of the sum of absolute
        # products, here at most 1; a few more units for the rounding of the scaled entries and for what is nearly 1.
        units = float(self.right.shape[1] + 8) * _ROUNDING
        return units / (1.0 - units)

    def _asked_unit_l2(self, queries: FloatArray, own: Doubles) -> Surrogate:
        # -|q - v|^2 = 2 q.v - |q|^2 - |v|^2 with |v|^2 within ``off`` of 1; over 2 |q|, or 2 for short ones.
        by = np.maximum(own, 1.0)
        scale = 0.5 / by
        slack = self._error() + scale * (self._off + _ROUNDING * (own + 1.01) ** 2 + _SMALLEST)
        return Surrogate(_scaled(queries, 2.0 * scale), self.right, scale, (own**2 + 1.0) * scale, slack)

    def _asked_l2(self, queries: FloatArray) -> Surrogate:
        # With c the mean, x = q - c, y = v - c and R the longest y:  -|q - v|^2 = 2 x.y - |y|^2 - |x|^2, one product
        # of (2 x R, -R^2) / s and (y / R, |y|^2 / R^2), where s = 2 |x| R + R^2 keeps the absolute products below 1.
        radius, own = self._radius, norms(queries, self._centre)
        divisor = 2.0 * own * radius + radius**2
        left = _scaled(queries, 2.0 * radius / divisor, self._centre, -(radius**2) / divisor)
        scale = 1.0 / divisor
        slack = self._error() + _ROUNDING * (own + radius) ** 2 * scale + _SMALLEST * scale
        return Surrogate(left, self.right, scale, own**2 * scale, slack)

    def by_itself(self) -> Surrogate:
        """Return a surrogate in which the rows are the queries and the product of i and j is that of j and i."""
        count = len(self.right)
        ones, error = np.ones(count), self._error() + self.right.shape[1] * _FLUSHED
        if self._metric == "l2":
            return self._l2_by_itself()
        if self._metric == "cosine":
            slack = np.full(count, error + _ROUNDING + 2.1 * self._off + _SMALLEST)
            return Surrogate(self.right, self.right, ones, 0.0 * ones, slack)
        # The sum of absolute products of row i is at most |s_i| |s|, s being what the vectors became.
        reach = norms(self.right) * (self._longest / self._per)
        scale = ones / self._per**2
        slack = (self._error() + _ROUNDING) * reach + self.right.shape[1] * _FLUSHED + _SMALLEST * scale
        return Surrogate(self.right, self.right, scale, 0.0 * ones, slack)

    def _l2_by_itself(self) -> Surrogate:
        count, flushed = len(self.right), (self.right.shape[1] + 2) * _FLUSHED
        if self._unit:  # v.w = (similarity + |v|^2 + |w|^2) / 2, each square within ``off`` of 1
            half = np.full(count, 0.5)
            slack = np.full(count, 1.01 * self._error() + self._off + 2.1 * _ROUNDING + _SMALLEST + flushed)
            return Surrogate(self.right, self.right, half, np.ones(count), slack)
        # -|y - z|^2 / R^2 = (2 y, -|y|^2, -1) . (z, 1, |z|^2), y and z over R; absolute products sum to (|y| + |z|)^2.
        squares = ((self._from_centre / self._radius) ** 2).astype(np.float32)[:, None]
        column = np.ones_like(squares)
        left = np.concatenate([2.0 * self.right[:, :-1], -squares, -column], axis=1)
        right = np.concatenate([self.right[:, :-1], column, squares], axis=1)
        scale = np.full(count, 1.0 / self._radius**2)
        reach = (self._from_centre / self._radius + 1.0) ** 2
        slack = (self._error() + 3.0 * _ROUNDING) * reach + _SMALLEST * scale + flushed
        return Surrogate(left, right, scale, np.zeros(count), slack)


def _scaled(
    vectors: FloatArray, factors: Doubles, centre: Doubles | None = None, last: Doubles | None = None
) -> FloatArray:
    """Return the vectors (n, d), from a centre (d,), times a factor each (n,), then a last number (n,) of their own."""
    count, width = vectors.shape
    out = np.empty((count, width + (last is not None)), dtype=np.float32)

    def some(part: slice) -> None:
        block = vectors[part] if centre is None else vectors[part] - centre
        out[part, :width] = block * factors[part, None]  # float64, rounded once

    in_parts(some, count, max(1, 2**17 // width))
    if last is not None:
        out[:, width] = last
    return out
