"""The three questions: of rows prepared once and asked many times, in memory or block by block in their file."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from embdiff._progress import progress, silent
from embdiff.errors import ShapeError
from embdiff.exact._candidates import pairs_pay
from embdiff.exact._checks import check_k, check_rows, check_usable, check_widths
from embdiff.exact._duplicates import Distinct, distinct
from embdiff.exact._file import FileVectors
from embdiff.exact._knn import Task, first, nearest, within
from embdiff.exact._ranks import count_before, precedes
from embdiff.exact._rows import Doubles, norms, pair_similarity
from embdiff.exact._surrogate import Prepared
from embdiff.records import FloatArray, IntArray, Metric, Neighbors, Ties
from embdiff.ties import TOLERANCE, groups, sizes


class Index:
    """The rows of one table, ready to be searched exactly.

    Everything that depends on the rows alone is done once, when it is first needed: checks, finding identical
    vectors, scaling. Vectors that are normalised already are not copied. Of rows in a file nothing is kept: every
    question reads the file once, equal to the last bit. A pair's similarity does not depend on the block it is computed
    in, and ties are broken by row number, so merging the first k of each block gives the first k of all.

    Parameters
    ----------
    vectors : ndarray of float32, or FileVectors, shape (n, d)
        Must not change while the index is used.
    metric : {"cosine", "ip", "l2"}

    Raises
    ------
    ShapeError
        When it is no table (n, d) with n, d >= 1.
    ParameterError
        When a vector is not finite, or too long to be squared; for cosine, when one is zero. Of rows in a file when
        they are read.
    """

    def __init__(self, vectors: FloatArray | FileVectors, metric: Metric) -> None:
        self.metric: Metric = metric
        self._whole = None if isinstance(vectors, FileVectors) else _Table(vectors, metric)
        self.vectors = vectors if self._whole is None else self._whole.vectors

    def __len__(self) -> int:
        return len(self.vectors)

    def search(self, queries: FloatArray, k: int, *, leave_out: IntArray | None = None) -> Neighbors:
        """Return the k nearest rows of each query; see `embdiff.exact.search`."""
        queries = self._checked(queries)
        check_k(k, len(self), leave_out is not None)
        left_out = None if leave_out is None else check_rows(leave_out, (len(queries),), len(self), "leave_out")
        rows, found = self._nearest(queries, min(k + 1 + (left_out is not None), len(self)))  # is the next as near?
        if left_out is not None:
            keep = np.argsort(rows == left_out[:, None], axis=1, kind="stable")[:, :-1]
            rows, found = np.take_along_axis(rows, keep, axis=1), np.take_along_axis(found, keep, axis=1)
        ties = self._ties(queries, rows, found, k, left_out)
        return Neighbors(rows[:, :k], found[:, :k].astype(np.float32), self.metric, ties=ties)

    def _ties(
        self, queries: FloatArray, rows: IntArray, found: Doubles, k: int, left_out: IntArray | None
    ) -> Ties | None:
        """Return which of the first k rows are equally near, and what else is as near as the k-th."""
        last, nothing = found[:, k - 1], np.empty(0, dtype=np.int64)
        off = self._tolerance(queries, rows[:, k - 1], last)
        before = groups(found[:, :k], off)
        size = sizes(before)
        query = row = nothing
        asked = np.flatnonzero(last - found[:, k] <= off) if rows.shape[1] > k else nothing
        if asked.size:
            at, row = self._within(queries[asked], (last - off)[asked], (last + off)[asked])
            query = asked[at]
            listed = np.any(rows[query, :k] == row[:, None], axis=1)
            beyond = ~listed if left_out is None else ~listed & (row != left_out[query])
            query, row = query[beyond], row[beyond]
            size += np.where(before == before[:, -1:], np.bincount(query, minlength=len(rows))[:, None], 0)
        return Ties(before, size, query, row) if (size > 1).any() else None

    def _tolerance(self, queries: FloatArray, rows: IntArray, last: Doubles) -> Doubles:
        """Return how far apart rounding may bring similarities as near as the last ones, (q,)."""
        if self.metric == "cosine":
            return np.full(len(rows), TOLERANCE)
        return TOLERANCE * (np.abs(last) if self.metric == "l2" else norms(queries) * norms(self.vectors[rows]))

    def _within(self, queries: FloatArray, low: Doubles, high: Doubles) -> tuple[IntArray, IntArray]:
        """Return every checked query and row whose similarity lies between two of the query's, (q,); both (m,)."""
        found: list[tuple[IntArray, IntArray]] = []

        def add(start: int, block: _Table) -> None:
            query, row = within(block.asked(queries), low, high)
            found.append((query, row + start))

        self._read("exact ties", add)
        query, row = (np.concatenate(each) for each in zip(*found, strict=True))
        order = np.argsort(query, kind="stable")
        return query[order], row[order]

    def ranks(self, queries: FloatArray, rows: IntArray, *, leave_out: IntArray | None = None) -> IntArray:
        """Return the rank, from 1, of given rows in each query's full order; see `embdiff.exact.ranks`."""
        queries = self._checked(queries)
        rows = check_rows(rows, (len(queries), -1), len(self))
        own = None
        if leave_out is not None:
            own = check_rows(leave_out, (len(queries),), len(self), "leave_out")[:, None]
        wanted = self._known(queries, rows)
        found = np.where(rows < 0, -1, self._before(queries, rows, wanted) + 1)
        if own is None:
            return found
        found -= precedes(self._known(queries, own), own, wanted, rows) & (rows >= 0)
        found[(own >= 0) & (rows == own)] = -1
        return found

    def similarity(self, queries: FloatArray, rows: IntArray) -> FloatArray:
        """Return the exact similarity of each query to given rows; see `embdiff.exact.similarity`."""
        queries = self._checked(queries)
        return self._known(queries, check_rows(rows, (len(queries), -1), len(self))).astype(np.float32)

    def _checked(self, queries: FloatArray) -> FloatArray:
        table: FloatArray = np.ascontiguousarray(queries, dtype=np.float32)
        if table is not self.vectors:
            check_widths(table.shape, self.vectors.shape)
            check_usable(table, "query", self.metric)
        return table

    def _nearest(self, queries: FloatArray, wanted: int) -> tuple[IntArray, Doubles]:
        """Return the first ``wanted`` rows of each checked query and their similarity, both (q, wanted)."""
        rows, found = np.empty((0, 0), dtype=np.int64), np.empty((0, 0))

        def merge(start: int, block: _Table) -> None:
            nonlocal rows, found
            more, also = block.nearest(queries, min(wanted, len(block.vectors)))
            if start:
                both = np.concatenate([rows, more + start], axis=1), np.concatenate([found, also], axis=1)
                more, also = first(*both, wanted)
            rows, found = more, also

        self._read("exact search", merge)
        return rows, found

    def _before(self, queries: FloatArray, rows: IntArray, wanted: Doubles) -> IntArray:
        """Return how many rows come before given ones, (q, m); 0 for -1, which costs nothing."""
        before = np.zeros(rows.shape, dtype=np.int64)
        asking = np.flatnonzero((rows >= 0).any(axis=1))
        if len(asking) < len(rows):
            queries, rows, wanted = queries[asking], rows[asking], wanted[asking]
        found = np.zeros(rows.shape, dtype=np.int64)

        def add(start: int, block: _Table) -> None:
            found[:] += count_before(block.asked(queries), rows - start, wanted)

        if len(asking):
            self._read("exact ranks", add)
        before[asking] = found
        return before

    def _known(self, queries: FloatArray, rows: IntArray) -> Doubles:
        """Return the similarity of each checked query to checked rows (q, m); NaN for -1."""
        there, out = np.maximum(rows, 0), np.empty(rows.shape)
        if not isinstance(self.vectors, FileVectors):
            out = pair_similarity(queries, self.vectors, there, self.metric)
        else:
            step = max(1, self.vectors.block_rows // max(1, rows.shape[1]))
            for start in range(0, len(rows), step):
                part = slice(start, start + step)
                kinds, inverse = np.unique(there[part], return_inverse=True)
                places = inverse.reshape(there[part].shape)
                out[part] = pair_similarity(queries[part], self.vectors[kinds], places, self.metric)
        out[rows < 0] = np.nan
        return out

    def _read(self, doing: str, use: Callable[[int, _Table], None]) -> None:
        """Give every block of rows, with the number of its first row, to ``use``."""
        if not isinstance(self.vectors, FileVectors):
            assert self._whole is not None
            use(0, self._whole)
            return
        with progress(doing, len(self), "rows") as advance:
            for start, block in self.vectors.blocks():
                with silent():
                    use(start, _Table(block, self.metric, start))
                advance(len(block))


class _Table:
    """Rows that are in memory, float32 (n, d); ``first`` is the number of the first one in a table, for messages."""

    def __init__(self, vectors: FloatArray, metric: Metric, first: int = 0) -> None:
        self.vectors: FloatArray = np.ascontiguousarray(vectors, dtype=np.float32)
        self._metric: Metric = metric
        if self.vectors.ndim != 2 or not self.vectors.size:
            raise ShapeError(
                f"Vectors must be a table (n, d) of at least one row and column. Got shape {self.vectors.shape}. "
                "Give one vector per row."
            )
        self._squares = check_usable(self.vectors, "row", metric, first)

    @cached_property
    def _groups(self) -> Distinct:
        return distinct(self.vectors)

    @cached_property
    def _unique(self) -> FloatArray:
        return self.vectors[self._groups.first] if self._groups.repeated else self.vectors

    @cached_property
    def _prepared(self) -> Prepared:
        """The rows' side of the surrogate, identical vectors once."""
        squares = self._squares[self._groups.first] if self._groups.repeated else self._squares
        return Prepared(self._unique, self._metric, squares)

    def asked(self, queries: FloatArray) -> Task:
        """Return the task of searching these rows for checked queries."""
        return Task(queries, self._unique, self._groups, self._prepared.asked(queries), self._metric)

    def nearest(self, queries: FloatArray, wanted: int) -> tuple[IntArray, Doubles]:
        """Return the first ``wanted`` rows of each checked query and their similarity, both (q, wanted)."""
        if not (pairs_pay(len(self._unique), wanted) and self._are_rows(queries)):
            return nearest(self.asked(queries), wanted)
        task = Task(self._unique, self._unique, self._groups, self._prepared.by_itself(), self._metric)
        rows, found = nearest(task, wanted, all_pairs=True)
        if self._groups.repeated:
            rows, found = rows[self._groups.inverse], found[self._groups.inverse]
        return rows, found

    def _are_rows(self, queries: FloatArray) -> bool:
        """Return whether the queries are the rows themselves, one by one."""
        if queries.shape != self.vectors.shape:
            return False
        return queries is self.vectors or np.array_equal(queries.view(np.uint32), self.vectors.view(np.uint32))


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
        first; equal similarities by row, lowest first; ``ties`` are the rows that are equally near.

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
    return Index(vectors, metric).search(queries, k, leave_out=leave_out)


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
    return Index(vectors, metric).ranks(queries, rows, leave_out=leave_out)


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
    return Index(vectors, metric).similarity(queries, rows)
