"""Exact nearest neighbours: rounded products propose, float64 decides, a bound says when to look again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from embdiff._progress import progress
from embdiff.exact._candidates import are_few, of_all_pairs, of_few
from embdiff.exact._duplicates import Distinct
from embdiff.exact._rows import Doubles, pair_similarity
from embdiff.exact._surrogate import Surrogate
from embdiff.records import FloatArray, IntArray, Metric

_BLOCK = 4_096  # queries per call, what faiss works in; with 1,024 it is half again as slow, below 512 up to five times
_MARGIN = 8  # candidates beyond k, so that rounding and ties rarely need the full scan
_TILE = (1_024, 4_096)  # queries and rows that faiss multiplies at a time: 6 % faster than its 4,096 and 1,024
_SCAN_NUMBERS = 2**23  # products held at a time in the full scan
_EXPANDED = 2**20  # rows held at a time when identical vectors are expanded

Floats = TypeVar("Floats", FloatArray, Doubles)
_Proposals = Iterator[tuple[slice, FloatArray, IntArray]]


@dataclass(frozen=True, eq=False)
class Task:
    """Queries (q, d), the distinct vectors (u, d) they are asked of, and what stands in for both."""

    queries: FloatArray
    vectors: FloatArray
    groups: Distinct
    stand_in: Surrogate
    metric: Metric


def nearest(task: Task, wanted: int, *, all_pairs: bool = False) -> tuple[IntArray, Doubles]:
    """Return the first ``wanted`` rows of each query and their similarity, both (q, wanted).

    ``all_pairs``: the queries are the distinct vectors themselves, and so many that `pairs_pay`.
    """
    shape = (len(task.queries), wanted)
    rows, found = np.empty(shape, dtype=np.int64), np.empty(shape)
    decision = _Decision(task, wanted)
    for part, products, candidates in _proposals(task, min(wanted + _MARGIN, len(task.vectors)), all_pairs):
        # Products are off by the slack at most, that of the last one wanted, too; what rounding adds is seen later.
        near = products[:, min(wanted, products.shape[1]) - 1] - 2.0 * task.stand_in.slack[part]
        kept = int(np.count_nonzero(products >= near[:, None], axis=1).max())
        worst = products[:, min(kept, products.shape[1] - 1)]
        rows[part], found[part] = decision.of(part, candidates[:, :kept], worst)
    return rows, found


def _proposals(task: Task, count: int, all_pairs: bool) -> _Proposals:
    """Yield a part of the queries, their ``count`` largest products, largest first, and the vectors, (b, count)."""
    queries, dim = task.stand_in.left.shape
    few = are_few(queries, dim, len(task.vectors))
    if not (all_pairs or few):
        yield from _by_faiss(task.stand_in, count)
        return
    products, candidates = (of_all_pairs if all_pairs else of_few)(task.stand_in, count)
    for part in _blocks(queries):
        yield part, products[part], candidates[part]


def _by_faiss(stand_in: Surrogate, count: int) -> _Proposals:
    import faiss

    left, right = stand_in.left, stand_in.right
    faiss.cvar.distance_compute_blas_query_bs, faiss.cvar.distance_compute_blas_database_bs = _TILE
    with progress("exact search", len(left), "queries") as advance:
        for part in _blocks(len(left)):
            yield part, *faiss.knn(left[part], right, count, faiss.METRIC_INNER_PRODUCT)
            advance(part.stop - part.start)


def _blocks(queries: int) -> Iterator[slice]:
    start = 0
    while start < queries:
        stop = start + _BLOCK if queries - start >= 2 * _BLOCK else queries  # the last takes the rest: none is small
        yield slice(start, stop)
        start = stop


@dataclass(frozen=True, eq=False)
class _Decision:
    """Which of the proposed vectors' rows are the first ``wanted``, by the similarity in float64."""

    task: Task
    wanted: int

    def of(self, part: slice, candidates: IntArray, worst: FloatArray) -> tuple[IntArray, Doubles]:
        """Return the first ``wanted`` rows of the queries in ``part`` and their similarity, both (b, wanted).

        Parameters
        ----------
        part : slice
        candidates : ndarray of int64, shape (b, m)
            Distinct vectors with the largest products.
        worst : ndarray of float32, shape (b,)
            No vector that is missing has a larger product.
        """
        task = self.task
        exact = pair_similarity(task.queries[part], task.vectors, candidates, task.metric)
        rows, found = self._expanded(candidates, exact)
        if candidates.shape[1] < len(task.vectors):
            low = task.stand_in.band(part, found[:, -1:])[0][:, 0]
            self._scan(part, np.flatnonzero(worst >= low), low, rows, found)
        return rows, found

    def _scan(self, part: slice, doubtful: IntArray, low: FloatArray, rows: IntArray, found: Doubles) -> None:
        """Look at every vector for the queries in these places of ``part``; write in place."""
        task = self.task
        queries = np.arange(part.start, part.stop)[doubtful]
        step = max(1, _SCAN_NUMBERS // len(task.vectors))
        for start in range(0, len(queries), step):
            chosen = queries[start : start + step]
            products = task.stand_in.left[chosen] @ task.stand_in.right.T
            for query, line, place in zip(chosen, products, doubtful[start : start + step], strict=True):
                candidates = np.flatnonzero(line >= low[place])[None, :]
                exact = pair_similarity(task.queries[query][None], task.vectors, candidates, task.metric)
                (rows[place],), (found[place],) = self._expanded(candidates, exact)

    def _expanded(self, candidates: IntArray, found: Doubles) -> tuple[IntArray, Doubles]:
        """Replace distinct vectors by their rows and return the first ``wanted`` in order, (b, wanted)."""
        groups = self.task.groups
        counts = np.minimum(groups.counts[candidates], self.wanted)
        width = int(counts.sum(axis=1).max())
        if width == candidates.shape[1]:  # none is repeated
            return first(groups.first[candidates], found, self.wanted)
        rows = np.empty((len(candidates), self.wanted), dtype=np.int64)
        out = np.empty((len(candidates), self.wanted))
        step = max(1, _EXPANDED // width)
        for start in range(0, len(candidates), step):
            part = slice(start, start + step)
            rows[part], out[part] = first(*self._unfolded(candidates[part], found[part], counts[part]), self.wanted)
        return rows, out

    def _unfolded(self, candidates: IntArray, found: Doubles, counts: IntArray) -> tuple[IntArray, Doubles]:
        lengths = counts.sum(axis=1)
        places = np.arange(lengths.max()) < lengths[:, None]
        rows = np.full(places.shape, np.iinfo(np.int64).max)
        rows[places] = self.task.groups.rows(candidates.ravel(), counts.ravel())
        similarity = np.full(places.shape, -np.inf)
        similarity[places] = np.repeat(found.ravel(), counts.ravel())
        return rows, similarity


def within(task: Task, low: Doubles, high: Doubles) -> tuple[IntArray, IntArray]:
    """Return every query and row whose similarity lies between two of the query's, (q,); both (m,) and by query."""
    lowest, highest = (
        task.stand_in.band(slice(None), low[:, None])[0],
        task.stand_in.band(slice(None), high[:, None])[1],
    )
    step = max(1, _SCAN_NUMBERS // len(task.vectors))
    pairs = [(np.empty(0, dtype=np.int64),) * 2]
    for start in range(0, len(low), step):
        part = slice(start, start + step)
        products = task.stand_in.left[part] @ task.stand_in.right.T
        line, vector = np.nonzero((products >= lowest[part]) & (products <= highest[part]))
        query = line + start
        for at in range(0, len(query), _EXPANDED):
            some = slice(at, at + _EXPANDED)
            asking, asked = query[some], vector[some]
            exact = pair_similarity(task.queries[asking], task.vectors, asked[:, None], task.metric)[:, 0]
            kept = (exact >= low[asking]) & (exact <= high[asking])
            counts = task.groups.counts[asked[kept]]
            pairs.append((np.repeat(asking[kept], counts), task.groups.rows(asked[kept], counts)))
    query, rows = (np.concatenate(each) for each in zip(*pairs, strict=True))
    return query, rows


def first(rows: IntArray, found: Floats, wanted: int | None = None) -> tuple[IntArray, Floats]:
    """Return the first ``wanted`` of rows (q, m), or all, in the one order: most similar first, equal ones by row.

    Pads, of which the similarity is NaN, come last.
    """
    order = np.lexsort((rows, -found), axis=-1)[:, :wanted]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(found, order, axis=1)
