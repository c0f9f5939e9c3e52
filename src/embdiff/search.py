"""Asking a collection: the neighbours it returned, and the exact ones beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from embdiff import exact
from embdiff.kept import Kept
from embdiff.own_rows import OwnRows, contains, followed_by_own, without_own
from embdiff.records import Answer, BoolArray, ElsewhereRows, FloatArray, IntArray, Metric, Neighbors
from embdiff.stores.collection import CollectionSpec, Vectors, dense
from embdiff.stores.store import Searched
from embdiff.ties import among_others, cut, either, tied_like

T = TypeVar("T")

WARM_CALLS = 5
WARM_QUERIES = 100
WARM_SECONDS = 5.0  # a search that takes this long shows its time in fewer calls
EXACT_INDEX = "flat"
_CONFUSED = 2e-6  # of the largest similarity: float32 sums in another order


@dataclass(frozen=True, eq=False)
class Found:
    """Result of one search of one collection.

    Parameters
    ----------
    returned, exact : Neighbors, shape (q, k)
        From the store, and the exact answer; own rows left out where asked.
    nearest : Neighbors, shape (q, 1)
        The exact nearest row with nothing left out: does a query find itself?
    exact_similarity : ndarray of float32, shape (q, k)
        Exact similarity of the returned rows, NaN pads.
    is_self : ndarray of bool, shape (q, k)
    seconds : dict
        ``first`` call with all queries; ``warm``: median of repeated calls; ``warm_queries``: queries per warm call.
    asked : str or None
        When an earlier run asked the same collection with the same queries, ISO 8601: what it returned then, and the
        seconds it took then. None when the store was asked now.
    store_queries : int
        How many queries the store was asked; the lists of the others are the exact answer.
    """

    returned: Neighbors
    exact: Neighbors
    nearest: Neighbors
    exact_similarity: FloatArray
    is_self: npt.NDArray[np.bool_]
    seconds: dict[str, float] = field(default_factory=dict)
    asked: str | None = None
    store_queries: int = 0


class Exact(Protocol):
    """What gives the exact answer, as `embdiff.exact.Index` does."""

    def search(self, queries: Any, k: int) -> Neighbors:
        """Return the k nearest rows of each query, with their ties."""

    def ranks(self, queries: Any, rows: IntArray) -> IntArray:
        """Return the rank of given rows (q, m) for each query, from 1; -1 for pads and rows that have none."""

    def similarity(self, queries: Any, rows: IntArray) -> FloatArray:
        """Return the similarity of given rows (q, m) for each query; NaN for pads and rows that have none."""


class Searcher:
    """A collection in a store together with the vectors it was made from.

    Parameters
    ----------
    store : Searched
        Where the collection lives.
    spec : CollectionSpec
        Which collection, with which metric and index.
    vectors : ndarray of float32, shape (n, d)
        The vectors in it, for the exact answer.
    kept : Kept, optional
        Where results of earlier runs are found again.
    most_asked : int, optional
        Of an exact index the store is asked so many queries, drawn with the ``seed``; all when None.
    index : Exact, optional
        What gives the exact answer, where vectors are no table of n times d numbers.
    """

    def __init__(
        self,
        store: Searched,
        spec: CollectionSpec,
        vectors: Vectors,
        kept: Kept | None = None,
        *,
        index: Exact | None = None,
        most_asked: int | None = None,
        seed: int = 0,
    ) -> None:
        self._store, self._spec, self._vectors = store, spec, vectors
        self._kept = Kept(None) if kept is None else kept
        self._exact = index
        self._most_asked, self._seed = most_asked if spec.index.name == EXACT_INDEX else None, seed

    @cached_property
    def _index(self) -> Exact:
        return exact.Index(dense(self._vectors), self._spec.metric) if self._exact is None else self._exact

    def search(self, queries: Vectors, k: int, own: OwnRows) -> Found:
        """Return the k nearest rows of each query vector, from the store and exactly.

        Parameters
        ----------
        queries : ndarray of float32, shape (q, d), or Ragged of q rows
        k : int
            Neighbours per query, own rows not counted when they are dropped.
        own : OwnRows
            What becomes of the query's own rows.

        Raises
        ------
        ParameterError
            When the dimensions differ or k is out of range.
        """
        own.check_k(k, self._spec.rows)
        wide = k + own.dropped
        truth = self._recall("search", lambda: self._index.search(queries, wide), queries, wide)
        raw, seconds, asked, count = self._returned(queries, wide, truth)
        returned = without_own(raw, own, k)
        return Found(
            returned=returned,
            exact=without_own(truth, own, k),
            nearest=cut(truth, 1),
            exact_similarity=self._recall(
                "similarity", lambda: self._index.similarity(queries, returned.rows), queries, returned.rows
            ),
            is_self=own.marked(returned.rows),
            seconds=seconds,
            asked=asked,
            store_queries=count,
        )

    def _returned(
        self, queries: Vectors, k: int, truth: Neighbors
    ) -> tuple[Neighbors, dict[str, float], str | None, int]:
        """Return what the store answers, the seconds it took, when it was asked, and how many queries it was asked.

        A list of rows that are as close as those of the exact answer, and of which the store says so, is that answer:
        float32 sums must neither order what is tied nor untie it. Of an exact index a sample is asked; are all its
        lists that close, so are those of all queries; any difference, and every query is asked.
        """
        if self._most_asked is not None and self._most_asked < len(queries):
            some = np.sort(np.random.default_rng(self._seed).permutation(len(queries))[: self._most_asked])
            raw, seconds, asked = self._ask(queries[some], k)
            if self._as_close(raw, queries[some], truth.similarity[some]).all():
                return replace(truth, index=raw.index), seconds, asked, len(some)
        raw, seconds, asked = self._ask(queries, k)
        close = self._as_close(raw, queries, truth.similarity)
        return either(tied_like(raw, truth), truth, close), seconds, asked, len(queries)

    def _as_close(self, raw: Neighbors, queries: Vectors, wanted: FloatArray) -> BoolArray:
        """Return which lists (q,) are of similarities (q, k) wanted, up to what float32 in a store may confuse."""
        if raw.rows.shape != wanted.shape:
            return np.zeros(len(queries), dtype=bool)
        largest = float(np.abs(np.nan_to_num(wanted)).max(initial=0.0))
        tolerance = _CONFUSED * (1.0 if self._spec.metric == "cosine" else largest)
        told, true = (
            np.isclose(each, wanted, rtol=0, atol=tolerance, equal_nan=True).all(axis=1)
            for each in (raw.similarity, self._index.similarity(queries, raw.rows))
        )
        return np.asarray(told & true)

    def _ask(self, queries: Vectors, k: int) -> tuple[Neighbors, dict[str, float], str | None]:
        """Return what the store answers, the seconds it took, and when an earlier run was told so.

        A collection that can be told from every other, also from one made later in the same way, is asked once.
        """

        def ask() -> tuple[Neighbors, dict[str, float]]:
            start = time.perf_counter()
            raw = self._store.search(self._spec, queries, k)
            return raw, {"first": time.perf_counter() - start, **self._warm(queries, k)}

        spec = self._spec
        identity = self._store.identity(spec.name)
        if identity is None:
            return *ask(), None
        inputs = (identity, spec.metric, str(spec.index), spec.rows, queries, k)
        (raw, seconds), made = self._kept.recall("store.search", inputs, ask)
        return raw, seconds, made

    def _recall(self, what: str, compute: Callable[[], T], *inputs: Any) -> T:
        """Return what the exact index computes, or computed before from the same vectors."""
        return self._kept.recall(f"exact.{what}", (self._vectors, self._spec.metric, *inputs), compute)[0]

    def nearest(self, queries: Vectors, k: int, own: OwnRows) -> Neighbors:
        """Return the exact k nearest rows of each query, (q, k), the store not asked; as `search` for the rest."""
        return self._recall("lists", lambda: exact_lists(self._index, queries, k, own), queries, k, own)

    def place_of(self, queries: Vectors, rows: IntArray, own: OwnRows) -> ElsewhereRows:
        """Return the exact rank and similarity of given rows for each query; dropped own rows do not count."""
        return self._recall("places", lambda: self._place_of(queries, rows, own), queries, rows, own)

    def _place_of(self, queries: Vectors, rows: IntArray, own: OwnRows) -> ElsewhereRows:
        ranks = self._index.ranks(queries, followed_by_own(rows, own))
        return places(rows, ranks, self._index.similarity(queries, rows))

    def _warm(self, queries: Vectors, k: int) -> dict[str, float]:
        few = queries[:WARM_QUERIES]
        spent: list[float] = []
        while len(spent) < WARM_CALLS and sum(spent) < WARM_SECONDS:
            start = time.perf_counter()
            self._store.search(self._spec, few, k)
            spent.append(time.perf_counter() - start)
        return {"warm": float(np.median(spent)), "warm_queries": len(few)}


def exact_lists(index: Exact, queries: Vectors, k: int, own: OwnRows) -> Neighbors:
    """Return the k nearest rows of each query, exactly; its own rows left out where they are dropped, (q, k)."""
    return without_own(index.search(queries, k + own.dropped), own, k)


def nearest_rows(queries: FloatArray, vectors: FloatArray, depth: int, metric: Metric) -> Neighbors:
    """Return the nearest rows of each query, exactly, and their similarity; (q, min(depth, n)).

    A zero vector has no direction: with cosine such a row is never returned and such a query returns nothing; the
    lists are padded with -1 and NaN.
    """
    depth = min(depth, len(vectors))
    asking, there = (with_direction(table, metric) for table in (queries, vectors))
    found = Neighbors(np.empty((0, 0), dtype=np.int64), np.empty((0, 0), dtype=np.float32), metric)
    if asking.size and there.size:
        found = exact.search(queries[asking], vectors[there], min(depth, len(there)), metric)
    return among_others(found, asking[: len(found.rows)], there, (len(queries), depth))


def with_direction(vectors: FloatArray, metric: Metric) -> IntArray:
    """Return the rows (m,) whose vectors (n, d) have a similarity: with cosine those that are not zero."""
    if metric != "cosine":
        return np.arange(len(vectors), dtype=np.int64)
    return np.flatnonzero(np.any(vectors != 0.0, axis=1)).astype(np.int64)


def places(rows: IntArray, ranks: IntArray, similarity: FloatArray) -> ElsewhereRows:
    """Return where rows (q, m) stand, given the ranks of `followed_by_own`, (q, m + p): own rows do not count."""
    here, own = np.split(ranks, [rows.shape[1]], axis=1)
    passed = np.zeros_like(here)
    for column in own.T:
        passed += (column[:, None] > 0) & (column[:, None] < here)
    return ElsewhereRows(rows, here - passed, similarity)


def rows_only_elsewhere(here: IntArray, others: Sequence[IntArray]) -> IntArray:
    """Return, for each query, the rows that other lists hold and this one does not.

    Parameters
    ----------
    here : ndarray of int64, shape (q, k)
    others : sequence of ndarray of int64, each of shape (q, k)

    Returns
    -------
    ndarray of int64, shape (q, m)
        Distinct rows, ascending, padded with -1 at the end; m is the largest number needed.
    """
    if not others:
        return np.full((len(here), 0), -1, dtype=np.int64)
    table = np.concatenate(others, axis=1)
    table = np.where(contains(here, table), -1, table)
    table = np.sort(table, axis=1)
    table[:, 1:][table[:, 1:] == table[:, :-1]] = -1
    order = np.argsort(table < 0, axis=1, kind="stable")
    table = np.take_along_axis(table, order, axis=1)
    return np.ascontiguousarray(table[:, : int((table >= 0).sum(axis=1).max(initial=0))])


def compared_pairs(answers: Sequence[Answer], beside: Sequence[Answer] = ()) -> list[tuple[Answer, Answer]]:
    """Return the pairs of answers that are compared: two collections, asked alike.

    With query models, the same query model asked both; without, each collection was asked by its own model. What stands
    ``beside`` them, asked by nobody's vectors, is compared with every answer, and with each other.
    """
    crossed = any(answer.query_model != answer.model for answer in answers)
    asked: dict[str, list[Answer]] = {}
    for answer in answers:
        asked.setdefault(answer.query_model if crossed else "", []).append(answer)
    among = [
        pair
        for alike in asked.values()
        for pair in (*combinations(alike, 2), *((answer, other) for answer in alike for other in beside))
    ]
    return [*among, *combinations(beside, 2)]


def disputing_pairs(
    answers: Sequence[Answer], named: Sequence[Answer], beside: Sequence[Answer]
) -> list[tuple[Answer, Answer]]:
    """Return the pairs by which queries and rows count as disputed: of all that was ``named``, collections and others.

    Where there is but one model, it is compared with bm25 that stood ``beside`` it.
    """
    return compared_pairs(answers, named) or compared_pairs(answers, beside)
