"""At which place a row stands in a query's full order, without sorting it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embdiff._progress import progress
from embdiff.exact._arrays import check_left_out, check_rows, check_vectors
from embdiff.exact._duplicates import Distinct, distinct
from embdiff.exact._pairs import pair_similarity
from embdiff.exact._surrogate import surrogate
from embdiff.records import FloatArray, IntArray, Metric

_NUMBERS = 2**24  # products held at a time: 64 MiB
_LARGEST_BLOCK = 1_024


def ranks(
    queries: FloatArray, vectors: FloatArray, rows: IntArray, metric: Metric, *, leave_out: IntArray | None = None
) -> IntArray:
    """Return the rank, from 1, of given rows in each query's full order.

    Parameters
    ----------
    queries : ndarray of float32, shape (q, d)
    vectors : ndarray of float32, shape (n, d)
    rows : ndarray of int64, shape (q, m)
        Rows of ``vectors``; -1 for none.
    metric : {"cosine", "ip", "l2"}
    leave_out : ndarray of int64, shape (q,), optional
        The row that each query does not count (its own), -1 for none.

    Returns
    -------
    ndarray of int64, shape (q, m)
        1 plus the number of rows that come earlier in the order of `search`; -1 where the row is -1 or the one left
        out. The rows that `search` returns have the ranks 1..k.

    Raises
    ------
    ShapeError, ParameterError
        As for `search`.

    Notes
    -----
    Counted in float32; what is within the error bound is decided in float64. Time O(q n (d + m)), memory 64 MiB and
    one copy of the vectors.
    """
    queries, vectors = check_vectors(queries, vectors, metric)
    rows = check_rows(rows, (len(queries), -1), len(vectors))
    left_out = check_left_out(leave_out, len(queries), len(vectors))
    stand_in, groups = surrogate(queries, vectors, metric), distinct(vectors)
    wanted = pair_similarity(queries, vectors, np.maximum(rows, 0), metric)
    out = np.empty(rows.shape, dtype=np.int64)
    step = min(_LARGEST_BLOCK, max(1, _NUMBERS // len(vectors)))
    with progress("exact ranks", len(queries), "queries") as advance:
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            low, high = stand_in.band(part, wanted[part])
            for at, products in enumerate(stand_in.left[part] @ stand_in.right.T):
                line = _Line(queries[start + at], vectors, groups, metric, products)
                out[start + at] = line.ranks(rows[start + at], wanted[start + at], low[at], high[at])
            advance(len(low))
    out[rows < 0] = -1
    return out if left_out is None else _without(out, left_out, queries, vectors, rows, wanted, metric)


def _without(
    found: IntArray,
    left_out: IntArray,
    queries: FloatArray,
    vectors: FloatArray,
    rows: IntArray,
    wanted: FloatArray,
    metric: Metric,
) -> IntArray:
    """Take the row left out from the count of those it precedes."""
    own = left_out[:, None]
    score = pair_similarity(queries, vectors, np.maximum(own, 0), metric)
    before = (own >= 0) & ((score > wanted) | ((score == wanted) & (own < rows)))
    kept = np.where(found > 0, found - before, -1)
    kept[(own >= 0) & (rows == own)] = -1
    return kept


class _Line:
    """The float32 products of one query with every row, and what decides where they cannot."""

    def __init__(
        self, query: FloatArray, vectors: FloatArray, groups: Distinct, metric: Metric, products: FloatArray
    ) -> None:
        self._query, self._vectors, self._groups, self._metric = query, vectors, groups, metric
        self._products = products

    def ranks(self, rows: IntArray, wanted: FloatArray, low: FloatArray, high: FloatArray) -> IntArray:
        """Return the ranks of ``rows`` (m,) whose similarities are ``wanted`` and lie between ``low`` and ``high``."""
        above = np.array([np.count_nonzero(self._products > bound) for bound in high], dtype=np.int64)
        reach = np.array([np.count_nonzero(self._products >= bound) for bound in low], dtype=np.int64)
        open_ = np.flatnonzero((reach - above > 1) & (rows >= 0))
        if open_.size:
            above[open_] += self._decided(rows[open_], wanted[open_], low[open_], high[open_])
        return above + 1

    def _decided(self, rows: IntArray, wanted: FloatArray, low: FloatArray, high: FloatArray) -> IntArray:
        """Count, for each target, the rows within its band that precede it."""
        near: npt.NDArray[np.bool_] = np.zeros(len(self._products), dtype=np.bool_)
        for bottom, top in zip(low, high, strict=True):
            near |= (self._products >= bottom) & (self._products <= top)
        band = np.flatnonzero(near)
        kinds, kind = np.unique(self._groups.inverse[band], return_inverse=True)
        exact = pair_similarity(self._query[None], self._vectors, self._groups.first[kinds][None, :], self._metric)[0][
            kind
        ]
        counts = np.empty(len(rows), dtype=np.int64)
        for at, (row, score, bottom, top) in enumerate(zip(rows, wanted, low, high, strict=True)):
            inside = (self._products[band] >= bottom) & (self._products[band] <= top)
            counts[at] = np.count_nonzero(inside & ((exact > score) | ((exact == score) & (band < row))))
        return counts
