"""The one place that computes a similarity that somebody sees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embdiff.exact._arrays import check_rows, check_vectors
from embdiff.records import FloatArray, IntArray, Metric

_CHUNK = 2**18  # float64 numbers gathered at a time: what stays in the cache is fastest


def similarity(queries: FloatArray, vectors: FloatArray, rows: IntArray, metric: Metric) -> FloatArray:
    """Return the exact similarity of each query to given rows.

    Parameters
    ----------
    queries : ndarray of float32, shape (q, d)
    vectors : ndarray of float32, shape (n, d)
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
    queries, vectors = check_vectors(queries, vectors, metric)
    rows = check_rows(rows, (len(queries), -1), len(vectors))
    values = pair_similarity(queries, vectors, np.maximum(rows, 0), metric)
    values[rows < 0] = np.nan
    return values


def pair_similarity(queries: FloatArray, vectors: FloatArray, rows: IntArray, metric: Metric) -> FloatArray:
    """`similarity` without checks; every row must be there."""
    out = np.empty(rows.shape, dtype=np.float32)
    if out.size == 0:
        return out
    width = max(1, min(rows.shape[1], _CHUNK // vectors.shape[1]))
    height = max(1, _CHUNK // (width * vectors.shape[1]))
    for top in range(0, len(rows), height):
        block = queries[top : top + height].astype(np.float64)
        for left in range(0, rows.shape[1], width):
            part = (slice(top, top + height), slice(left, left + width))
            out[part] = _scores(block, vectors[rows[part]].astype(np.float64), metric)
    return out


def _scores(
    queries: npt.NDArray[np.float64], found: npt.NDArray[np.float64], metric: Metric
) -> npt.NDArray[np.float64]:
    # einsum sums along the contiguous last axis in one fixed order, so equal pairs give equal bits in any block.
    if metric == "l2":
        found -= queries[:, None, :]
        distances: npt.NDArray[np.float64] = np.einsum("qmd,qmd->qm", found, found)
        return 0.0 - distances
    dots: npt.NDArray[np.float64] = np.einsum("qd,qmd->qm", queries, found)
    if metric == "ip":
        return dots
    own = np.sqrt(np.einsum("qd,qd->q", queries, queries))
    other = np.sqrt(np.einsum("qmd,qmd->qm", found, found))
    return np.asarray(np.clip(dots / (own[:, None] * other), -1.0, 1.0))
