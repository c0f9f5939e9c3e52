"""The three questions, each with its contract; `Index` keeps what depends on the rows between questions."""

from __future__ import annotations

import numpy as np

from embdiff.exact._checks import check_widths
from embdiff.exact._file import FileVectors
from embdiff.exact._index import Index, StreamedIndex
from embdiff.records import FloatArray, IntArray, Metric, Neighbors


def index(
    vectors: FloatArray | FileVectors, metric: Metric, queries: FloatArray | None = None
) -> Index | StreamedIndex:
    """Prepare rows that will be asked more than once; checked together with ``queries``, where these are known.

    Raises
    ------
    ShapeError, ParameterError
        When vectors (and queries) are not tables of one width, or cannot be used with the metric.
    """
    if isinstance(vectors, FileVectors):
        return StreamedIndex(vectors, metric)
    if queries is not None:
        check_widths(np.shape(queries), np.shape(vectors))
    return Index(vectors, metric)


def search(
    queries: FloatArray, vectors: FloatArray | FileVectors, k: int, metric: Metric, *, leave_out: IntArray | None = None
) -> Neighbors:
    """Return the k nearest rows of each query, exactly and reproducibly.

    Parameters
    ----------
    queries : ndarray of float32, shape (q, d)
    vectors : ndarray of float32, or FileVectors, shape (n, d)
    k : int
        1..n, or 1..n-1 with ``leave_out``.
    metric : {"cosine", "ip", "l2"}
    leave_out : ndarray of int64, shape (q,), optional
        The row that each query must not return (its own), -1 for none.

    Returns
    -------
    Neighbors
        ``rows`` (q, k) and ``similarity`` (q, k), index ``"exact"``. Similarity as `similarity` computes it, highest
        first; equal similarities by row, lowest first, also where the tie crosses the k-th place.

    Raises
    ------
    ParameterError
        When k is out of range, or a vector cannot be used with the metric.
    ShapeError
        When the arrays do not fit together.

    Notes
    -----
    Candidates come from ``faiss.knn`` on a float32 surrogate whose error is bounded; they are ordered by the float64
    similarity, and a query whose k-th result the bound cannot certify is scanned in full. Time O(q n d).
    """
    return index(vectors, metric, queries).search(queries, k, leave_out=leave_out)


def ranks(
    queries: FloatArray,
    vectors: FloatArray | FileVectors,
    rows: IntArray,
    metric: Metric,
    *,
    leave_out: IntArray | None = None,
) -> IntArray:
    """Return the rank, from 1, of given rows in each query's full order.

    Parameters
    ----------
    queries : ndarray of float32, shape (q, d)
    vectors : ndarray of float32, or FileVectors, shape (n, d)
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
    return index(vectors, metric, queries).ranks(queries, rows, leave_out=leave_out)


def similarity(queries: FloatArray, vectors: FloatArray | FileVectors, rows: IntArray, metric: Metric) -> FloatArray:
    """Return the exact similarity of each query to given rows.

    Parameters
    ----------
    queries : ndarray of float32, shape (q, d)
    vectors : ndarray of float32, or FileVectors, shape (n, d)
    rows : ndarray of int64, shape (q, m)
        Rows of ``vectors``; -1 gives NaN.
    metric : {"cosine", "ip", "l2"}

    Returns
    -------
    ndarray of float32, shape (q, m)
        Cosine in [-1, 1], inner product, or the negative squared Euclidean distance (never positive); computed in
        float64, rounded once. A pair has the same value wherever it is computed.

    Raises
    ------
    ShapeError, ParameterError
        When shapes or rows do not fit, or a vector cannot be used with the metric.
    """
    return index(vectors, metric, queries).similarity(queries, rows)
