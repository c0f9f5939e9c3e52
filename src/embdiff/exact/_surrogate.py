"""Float32 products that stand in for the similarity, with a proven bound on how far off they are.

Whatever the metric, ``left @ right.T`` orders the rows of a query as the similarity does, up to ``slack``. What the
bound cannot decide is decided by the float64 similarity (`_pairs`): the speed of float32, the answer of float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embdiff.exact._arrays import norms
from embdiff.records import FloatArray, Metric

_ROUNDING = 2.0**-24  # unit roundoff of float32
_SMALLEST = 2.0**-149  # its smallest number: below, rounding is absolute
_Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Scaled copies of queries and vectors; products lie in [-1, 1].

    Parameters
    ----------
    left : ndarray of float32, shape (q, D)
    right : ndarray of float32, shape (n, D)
        D = d, or d + 1 for l2.
    scale, shift : ndarray of float64, shape (q,)
        ``scale * similarity + shift`` is what the product approximates.
    slack : ndarray of float64, shape (q,)
        Bound on ``|product - (scale * similarity + shift)|``, the rounding of the similarity to float32 included.
    """

    left: FloatArray
    right: FloatArray
    scale: _Doubles
    shift: _Doubles
    slack: _Doubles

    def band(self, block: slice, similarity: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return between which products the similarities (b, m) of the queries in ``block`` must lie.

        A row with a product above the band is closer than the similarity, one below is farther; both are rounded
        outwards to float32.
        """
        middle = self.scale[block, None] * similarity.astype(np.float64) + self.shift[block, None]
        slack = self.slack[block, None]
        low = np.nextafter((middle - slack).astype(np.float32), np.float32(-np.inf))
        high = np.nextafter((middle + slack).astype(np.float32), np.float32(np.inf))
        return low, high


def surrogate(queries: FloatArray, vectors: FloatArray, metric: Metric) -> Surrogate:
    """Build the stand-in for checked queries (q, d) and vectors (n, d)."""
    if metric == "l2":
        return _for_l2(queries, vectors)
    own, lengths = norms(queries), norms(vectors)
    own[own == 0.0] = 1.0
    longest = float(lengths.max()) or 1.0
    divisor = lengths if metric == "cosine" else np.full(len(vectors), longest)
    scale = np.ones(len(queries)) if metric == "cosine" else 1.0 / (own * longest)
    slack = np.full(len(queries), _product_error(vectors.shape[1]) + _ROUNDING) + _SMALLEST * scale
    return Surrogate(_divided(queries, own), _divided(vectors, divisor), scale, np.zeros(len(queries)), slack)


def _product_error(width: int) -> float:
    # Higham 2002, eq. 3.5: any order of summation stays within width * u / (1 - width * u) of the sum of absolute
    # products, here at most 1; a few more units for the rounding of the scaled entries themselves.
    units = (width + 6) * _ROUNDING
    return units / (1.0 - units)


def _for_l2(queries: FloatArray, vectors: FloatArray) -> Surrogate:
    # With c the mean, x = q - c, y = v - c and R the longest y:  -|q - v|^2 = 2 x.y - |y|^2 - |x|^2, one product of
    # (2 x R, -R^2) / s and (y / R, |y|^2 / R^2), where s = 2 |x| R + R^2 keeps the absolute products below 1.
    centre = vectors.mean(axis=0, dtype=np.float64)
    own, lengths = _lengths_from(centre, queries), _lengths_from(centre, vectors)
    radius = float(lengths.max()) or 1.0
    divisor = 2.0 * own * radius + radius**2
    left = _augmented(queries, centre, 2.0 * radius / divisor, -(radius**2) / divisor)
    right = _augmented(vectors, centre, np.full(len(vectors), 1.0 / radius), (lengths / radius) ** 2)
    scale = 1.0 / divisor
    slack = _product_error(right.shape[1]) + _ROUNDING * (own + radius) ** 2 * scale + _SMALLEST * scale
    return Surrogate(left, right, scale, own**2 * scale, slack)


def _blocks(vectors: FloatArray) -> Iterator[tuple[slice, _Doubles]]:
    step = max(1, 2**20 // vectors.shape[1])
    for start in range(0, len(vectors), step):
        part = slice(start, start + step)
        yield part, vectors[part].astype(np.float64)


def _divided(vectors: FloatArray, divisor: _Doubles) -> FloatArray:
    out = np.empty_like(vectors)
    for part, block in _blocks(vectors):
        out[part] = block / divisor[part, None]
    return out


def _lengths_from(centre: _Doubles, vectors: FloatArray) -> _Doubles:
    lengths = np.empty(len(vectors))
    for part, block in _blocks(vectors):
        block -= centre
        lengths[part] = np.sqrt(np.einsum("nd,nd->n", block, block))
    return lengths


def _augmented(vectors: FloatArray, centre: _Doubles, factor: _Doubles, last: _Doubles) -> FloatArray:
    out = np.empty((len(vectors), vectors.shape[1] + 1), dtype=np.float32)
    for part, block in _blocks(vectors):
        out[part, :-1] = (block - centre) * factor[part, None]
    out[:, -1] = last
    return out
