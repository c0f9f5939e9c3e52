"""Exact nearest neighbours: faiss proposes in float32, float64 decides, a bound says when to scan in full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from embdiff._progress import progress
from embdiff.exact import _few as few
from embdiff.exact._duplicates import Distinct
from embdiff.exact._pairs import pair_similarity
from embdiff.exact._surrogate import Surrogate
from embdiff.exact._symmetric import best_partners
from embdiff.records import FloatArray, IntArray, Metric

_BLOCK = 4_096  # queries per call, what faiss works in; with 1,024 it is half again as slow, below 512 up to five times
_MARGIN = 8  # candidates beyond k, so that rounding and ties rarely need the full scan
_SCAN_NUMBERS = 2**23  # products held at a time in the full scan
_EXPANDED = 2**20  # rows held at a time when identical vectors are expanded
_TILE = (1_024, 4_096)  # queries and rows that faiss multiplies at a time: 6 % faster than its 4,096 and 1,024


def nearest(task: Task) -> tuple[IntArray, FloatArray]:
    """Return the first ``task.wanted`` rows of each query and their similarity, both (q, wanted)."""
    import faiss

    count, (queries, dim) = min(task.wanted + _MARGIN, len(task.vectors)), task.stand_in.left.shape
    if few.pays(queries, dim, len(task.vectors)):
        worst, candidates = few.best_rows(task.stand_in, count)
        return task.decided(slice(0, len(candidates)), candidates, worst)
    rows, found = task.empty()
    left, right = task.stand_in.left, task.stand_in.right
    faiss.cvar.distance_compute_blas_query_bs, faiss.cvar.distance_compute_blas_database_bs = _TILE
    with progress("exact search", len(left), "queries") as advance:
        for part in _blocks(len(left)):
            products, candidates = faiss.knn(left[part], right, count, faiss.METRIC_INNER_PRODUCT)
            rows[part], found[part] = task.decided(part, *task.promising(part, candidates, products))
            advance(len(candidates))
    return rows, found


def nearest_of_all(task: Task) -> tuple[IntArray, FloatArray]:
    """Do the same where the queries are the distinct vectors themselves: each pair is multiplied once."""
    worst, candidates = best_partners(task.stand_in, min(task.wanted + _MARGIN, len(task.vectors)))
    rows, found = task.empty()
    for part in _blocks(len(candidates)):
        rows[part], found[part] = task.decided(part, candidates[part], worst[part])
    return rows, found


def _blocks(queries: int) -> Iterator[slice]:
    start = 0
    while start < queries:
        stop = start + _BLOCK if queries - start >= 2 * _BLOCK else queries  # the last takes the rest: none is small
        yield slice(start, stop)
        start = stop


@dataclass(frozen=True, eq=False)
class Task:
    """Queries (q, d), the distinct vectors (u, d) they are asked of, and how many rows each wants."""

    queries: FloatArray
    vectors: FloatArray
    groups: Distinct
    stand_in: Surrogate
    wanted: int  # k, and one more when a row is left out
    metric: Metric

    def empty(self) -> tuple[IntArray, FloatArray]:
        """Return arrays for the rows and similarities, both (q, wanted)."""
        shape = (len(self.queries), self.wanted)
        return np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.float32)

    def promising(self, part: slice, candidates: IntArray, products: FloatArray) -> tuple[IntArray, FloatArray]:
        """Drop the last columns of candidates, largest product first, where none can be among the first ``wanted``.

        Returns
        -------
        candidates : ndarray of int64, shape (b, m)
        worst : ndarray of float32, shape (b,)
            No vector that is missing has a larger product.
        """
        last = products.shape[1] - 1
        # Products are off by the slack at most, that of the last one wanted, too; mending sees what rounding adds.
        near = products[:, min(self.wanted, last + 1) - 1] - 2.0 * self.stand_in.slack[part]
        kept = int(np.count_nonzero(products >= near[:, None], axis=1).max())
        return candidates[:, :kept], products[:, min(kept, last)]

    def decided(self, part: slice, candidates: IntArray, worst: FloatArray) -> tuple[IntArray, FloatArray]:
        """Return the first ``wanted`` rows of the queries in ``part`` and their similarity, both (b, wanted).

        Parameters
        ----------
        part : slice
        candidates : ndarray of int64, shape (b, m)
            Distinct vectors with the largest products.
        worst : ndarray of float32, shape (b,)
            No vector that is missing has a larger product.
        """
        found = pair_similarity(self.queries[part], self.vectors, candidates, self.metric)
        rows, found = self._expanded(candidates, found)
        if candidates.shape[1] < len(self.vectors):
            self._mend(part, worst, rows, found)
        return rows, found

    def _mend(self, part: slice, worst: FloatArray, rows: IntArray, found: FloatArray) -> None:
        """Scan in full the queries where a row that was not proposed might still belong; write in place."""
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
