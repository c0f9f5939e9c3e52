"""Exact nearest neighbours: faiss proposes in float32, float64 decides, a bound says when to scan in full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from embdiff._progress import progress
from embdiff.exact._arrays import check_k, check_left_out, check_vectors
from embdiff.exact._duplicates import Distinct, distinct
from embdiff.exact._pairs import pair_similarity
from embdiff.exact._surrogate import Surrogate, surrogate
from embdiff.records import FloatArray, IntArray, Metric, Neighbors

_BLOCK = 4_096  # queries per call, what faiss works in; with 1,024 it is half again as slow, below 512 up to five times
_MARGIN = 8  # candidates beyond k, so that rounding and ties rarely need the full scan
_SCAN_NUMBERS = 2**23  # products held at a time in the full scan
_EXPANDED = 2**20  # rows held at a time when identical vectors are expanded


def search(
    queries: FloatArray, vectors: FloatArray, k: int, metric: Metric, *, leave_out: IntArray | None = None
) -> Neighbors:
    """Return the k nearest rows of each query, exactly and reproducibly.

    Parameters
    ----------
    queries : ndarray of float32, shape (q, d)
    vectors : ndarray of float32, shape (n, d)
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
    queries, vectors = check_vectors(queries, vectors, metric)
    left_out = check_left_out(leave_out, len(queries), len(vectors))
    check_k(k, len(vectors), left_out is not None)
    task = _Task.prepare(queries, vectors, k + (left_out is not None), metric)
    rows = np.empty((len(queries), k), dtype=np.int64)
    found = np.empty((len(queries), k), dtype=np.float32)
    with progress("exact search", len(queries), "queries") as advance:
        for part in _blocks(len(queries)):
            block_rows, block_found = task.nearest(part)
            keep = _first_k(block_rows, None if left_out is None else left_out[part], k)
            rows[part] = np.take_along_axis(block_rows, keep, axis=1)
            found[part] = np.take_along_axis(block_found, keep, axis=1)
            advance(len(block_rows))
    return Neighbors(rows, found, metric)


def _blocks(queries: int) -> Iterator[slice]:
    start = 0
    while start < queries:
        stop = start + _BLOCK if queries - start >= 2 * _BLOCK else queries  # the last takes the rest: none is small
        yield slice(start, stop)
        start = stop


def _first_k(rows: IntArray, left_out: IntArray | None, k: int) -> IntArray:
    if left_out is None:
        return np.broadcast_to(np.arange(k), (len(rows), k))
    return np.argsort(rows == left_out[:, None], axis=1, kind="stable")[:, :k]


@dataclass(frozen=True, eq=False)
class _Task:
    queries: FloatArray
    vectors: FloatArray  # distinct ones, (u, d)
    groups: Distinct
    stand_in: Surrogate
    wanted: int  # k, and one more when a row is left out
    metric: Metric

    @classmethod
    def prepare(cls, queries: FloatArray, vectors: FloatArray, wanted: int, metric: Metric) -> _Task:
        groups = distinct(vectors)
        unique = vectors if len(groups.first) == len(vectors) else vectors[groups.first]
        return cls(queries, unique, groups, surrogate(queries, unique, metric), wanted, metric)

    def nearest(self, part: slice) -> tuple[IntArray, FloatArray]:
        """Return the first ``wanted`` rows of the queries in ``part`` and their similarity, both (b, wanted)."""
        import faiss

        count = min(self.wanted + _MARGIN, len(self.vectors))
        products, candidates = faiss.knn(
            self.stand_in.left[part], self.stand_in.right, count, faiss.METRIC_INNER_PRODUCT
        )
        found = pair_similarity(self.queries[part], self.vectors, candidates, self.metric)
        rows, found = self._expanded(candidates, found)
        if count < len(self.vectors):
            self._mend(part, products[:, -1], rows, found)
        return rows, found

    def _mend(self, part: slice, worst: FloatArray, rows: IntArray, found: FloatArray) -> None:
        """Scan in full the queries where a row that faiss did not return might still belong; write in place."""
        low = self.stand_in.band(part, found[:, -1:])[0][:, 0]
        doubtful = np.flatnonzero(worst >= low)
        queries = np.arange(part.start, part.stop)[doubtful]
        step = max(1, _SCAN_NUMBERS // len(self.vectors))
        for start in range(0, len(queries), step):
            chosen = queries[start : start + step]
            products = self.stand_in.left[chosen] @ self.stand_in.right.T
            for query, line, place in zip(chosen, products, doubtful[start : start + step], strict=True):
                candidates = np.flatnonzero(line >= low[place])[None, :]
                exact = pair_similarity(self.queries[query][None], self.vectors, candidates, self.metric)
                rows[place], found[place] = self._one_expanded(candidates[0], exact[0])

    def _one_expanded(self, candidates: IntArray, found: FloatArray) -> tuple[IntArray, FloatArray]:
        counts = self.groups.counts[candidates]
        # Vectors that enough strictly closer rows precede cannot contribute.
        closest = np.argsort(-found, kind="stable")
        enough = int(np.searchsorted(np.cumsum(counts[closest]), self.wanted))
        needed = np.flatnonzero(found >= found[closest[enough]])
        rows, found = self._expanded(candidates[None, needed], found[None, needed])
        return rows[0], found[0]

    def _expanded(self, candidates: IntArray, found: FloatArray) -> tuple[IntArray, FloatArray]:
        """Replace distinct vectors by their rows and return the first ``wanted`` in order, (b, wanted)."""
        counts = np.minimum(self.groups.counts[candidates], self.wanted)
        width = int(counts.sum(axis=1).max())
        if width == candidates.shape[1]:  # none is repeated
            return self._ordered(self.groups.first[candidates], found)
        rows = np.empty((len(candidates), self.wanted), dtype=np.int64)
        out = np.empty((len(candidates), self.wanted), dtype=np.float32)
        step = max(1, _EXPANDED // width)
        for start in range(0, len(candidates), step):
            part = slice(start, start + step)
            rows[part], out[part] = self._ordered(*self._unfolded(candidates[part], found[part], counts[part]))
        return rows, out

    def _unfolded(self, candidates: IntArray, found: FloatArray, counts: IntArray) -> tuple[IntArray, FloatArray]:
        lengths = counts.sum(axis=1)
        places = np.arange(lengths.max()) < lengths[:, None]
        flat = counts.ravel()
        within = np.arange(flat.sum()) - np.repeat(np.cumsum(flat) - flat, flat)
        rows = np.full(places.shape, np.iinfo(np.int64).max)
        rows[places] = self.groups.order[np.repeat(self.groups.start[candidates.ravel()], flat) + within]
        similarity = np.full(places.shape, -np.inf, dtype=np.float32)
        similarity[places] = np.repeat(found.ravel(), flat)
        return rows, similarity

    def _ordered(self, rows: IntArray, found: FloatArray) -> tuple[IntArray, FloatArray]:
        order = np.lexsort((rows, -found), axis=-1)[:, : self.wanted]
        return np.take_along_axis(rows, order, axis=1), np.take_along_axis(found, order, axis=1)
