"""The one place that computes a similarity that somebody sees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embdiff.exact._threads import in_parts
from embdiff.records import FloatArray, IntArray, Metric

_CHUNK = 2**18  # float64 numbers gathered at a time: what stays in the cache is fastest


def pair_similarity(queries: FloatArray, vectors: FloatArray, rows: IntArray, metric: Metric) -> FloatArray:
    """Return the similarity of queries (q, d) to ``rows`` (q, m) of vectors (n, d), unchecked; every row is there."""
    out = np.empty(rows.shape, dtype=np.float32)
    if out.size == 0:
        return out
    width = max(1, min(rows.shape[1], _CHUNK // vectors.shape[1]))
    height = max(1, _CHUNK // (width * vectors.shape[1]))

    def some(lines: slice) -> None:
        block = queries[lines].astype(np.float64)
        for left in range(0, rows.shape[1], width):
            part = (lines, slice(left, left + width))
            out[part] = _scores(block, vectors[rows[part]].astype(np.float64), metric)

    in_parts(some, len(rows), height)
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
