"""Vectors prepared once and asked many times."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from embdiff.errors import ShapeError
from embdiff.exact._arrays import check_k, check_left_out, check_rows, check_tables, check_usable
from embdiff.exact._duplicates import Distinct, Glance, distinct
from embdiff.exact._knn import nearest, nearest_of_all
from embdiff.exact._pairs import pair_similarity
from embdiff.exact._ranks import count_before, precedes
from embdiff.exact._reaching import reaching
from embdiff.exact._surrogate import Prepared
from embdiff.exact._symmetric import pays
from embdiff.exact._task import Task
from embdiff.records import FloatArray, IntArray, Metric, Neighbors


class Index:
    """The rows of one table, ready to be searched exactly.

    Everything that depends on the rows alone is done once, when it is first needed: checks, finding identical
    vectors, scaling. Vectors that are normalised already are not copied.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, d)
        Must not change while the index is used.
    metric : {"cosine", "ip", "l2"}
    first : int
        Number of the first of these rows in a larger table, for messages.

    Raises
    ------
    ShapeError
        When it is no table (n, d) with n, d >= 1.
    ParameterError
        When a vector is not finite, or too long to be squared; for cosine, when one is zero.
    """

    def __init__(self, vectors: FloatArray, metric: Metric, first: int = 0) -> None:
        self.vectors: FloatArray = np.ascontiguousarray(vectors, dtype=np.float32)
        self.metric: Metric = metric
        if self.vectors.ndim != 2 or not self.vectors.size:
            raise ShapeError(
                f"Vectors must be a table (n, d) of at least one row and column. Got shape {self.vectors.shape}. "
                "Give one vector per row."
            )
        self._glance = Glance(self.vectors)
        self._squares = check_usable(self.vectors, "row", metric, first, self._glance)

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def _groups(self) -> Distinct:
        return distinct(self._glance)

    @cached_property
    def _unique(self) -> FloatArray:
        return self.vectors[self._groups.first] if self._groups.repeated else self.vectors

    @cached_property
    def _prepared(self) -> Prepared:
        """The rows' side of the surrogate, identical vectors once."""
        squares = self._squares[self._groups.first] if self._groups.repeated else self._squares
        return Prepared(self._unique, self.metric, squares)

    def search(self, queries: FloatArray, k: int, *, leave_out: IntArray | None = None) -> Neighbors:
        """Return the k nearest rows of each query; see `embdiff.exact.search`."""
        queries = self._checked(queries)
        left_out = check_left_out(leave_out, len(queries), len(self))
        check_k(k, len(self), left_out is not None)
        wanted = k + (left_out is not None)
        itself = self._are_rows(queries)
        if itself and pays(len(self._unique), wanted):
            task = Task(self._unique, self._unique, self._groups, self._prepared.by_itself(), wanted, self.metric)
            rows, found = nearest_of_all(task)
            if self._groups.repeated:
                rows, found = rows[self._groups.inverse], found[self._groups.inverse]
            return first_k(rows, found, left_out, k, self.metric)
        asked = self._prepared.asked(queries)
        task = Task(queries, self._unique, self._groups, asked, wanted, self.metric)
        rows, found = nearest(task)
        return first_k(rows, found, left_out, k, self.metric)

    def reaching(self, queries: FloatArray, least: FloatArray, wanted: int) -> tuple[IntArray, FloatArray] | None:
        """Return the rows at least as similar as ``least`` (q,), where that is faster; see `_reaching.reaching`."""
        queries = self._checked(queries)
        asked = self._prepared.asked(queries)
        return reaching(Task(queries, self._unique, self._groups, asked, wanted, self.metric), least)

    def ranks(self, queries: FloatArray, rows: IntArray, *, leave_out: IntArray | None = None) -> IntArray:
        """Return the rank, from 1, of given rows in each query's full order; see `embdiff.exact.ranks`."""
        queries = self._checked(queries)
        rows = check_rows(rows, (len(queries), -1), len(self))
        left_out = check_left_out(leave_out, len(queries), len(self))
        wanted = self._similarity(queries, rows)
        before = self.before(queries, rows, wanted)
        found = np.where(rows < 0, -1, before + 1)
        if left_out is None:
            return found
        own = left_out[:, None]
        found -= precedes(self._similarity(queries, own), own, wanted, rows) & (rows >= 0)
        found[(own >= 0) & (rows == own)] = -1
        return found

    def before(self, queries: FloatArray, rows: IntArray, wanted: FloatArray) -> IntArray:
        """Return how many rows here come before given ones, which may lie elsewhere; see `_ranks.count_before`."""
        return count_before(queries, self._unique, self._groups, self._prepared, rows, wanted, self.metric)

    def similarity(self, queries: FloatArray, rows: IntArray) -> FloatArray:
        """Return the exact similarity of each query to given rows; see `embdiff.exact.similarity`."""
        table = self._checked(queries)
        return self._similarity(table, check_rows(rows, (len(table), -1), len(self)))

    def _similarity(self, queries: FloatArray, rows: IntArray) -> FloatArray:
        values: FloatArray = pair_similarity(queries, self.vectors, np.maximum(rows, 0), self.metric)
        values[rows < 0] = np.nan
        return values

    def _checked(self, queries: Any) -> FloatArray:
        itself = queries is self.vectors
        if itself:
            return self.vectors
        table: FloatArray = check_tables(queries, self.vectors)[0]
        check_usable(table, "query", self.metric)
        return table

    def _are_rows(self, queries: FloatArray) -> bool:
        """Return whether the queries are the rows themselves, one by one."""
        if queries.shape != self.vectors.shape:
            return False
        return queries is self.vectors or np.array_equal(queries.view(np.uint32), self.vectors.view(np.uint32))


def first_k(rows: IntArray, found: FloatArray, left_out: IntArray | None, k: int, metric: Metric) -> Neighbors:
    """Return the first k of k + 1 rows in order, without the row left out; of k rows, all."""
    if left_out is None:
        return Neighbors(rows, found, metric)
    keep = np.argsort(rows == left_out[:, None], axis=1, kind="stable")[:, :k]
    return Neighbors(np.take_along_axis(rows, keep, axis=1), np.take_along_axis(found, keep, axis=1), metric)
