"""Judgements and ranked lists as integer arrays: what the measures of `ranking` are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.places import look_up
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Judged:
    """Which documents were judged for which query, m judgements in all.

    Parameters
    ----------
    query : ndarray of int64, shape (m,)
        Number of the query, ascending.
    document : ndarray of int64, shape (m,)
        Row of the document; -1 for one that is not in the collection: it can be wanted, never found.
    grade : ndarray of int64, shape (m,)
        Descending within a query; 0 or less is not relevant.
    queries : int
        Number of queries, q; some may have no judgement.
    """

    query: IntArray
    document: IntArray
    grade: IntArray
    queries: int

    @classmethod
    def of(cls, query: IntArray, document: IntArray, grade: IntArray, queries: int) -> Judged:
        """Sort judgements in any order.

        Raises
        ------
        ShapeError
            When the three arrays differ in length.
        """
        if not len(query) == len(document) == len(grade):
            raise ShapeError(
                "Judgements must have one query, document and grade each. "
                f"Got {len(query)}, {len(document)} and {len(grade)}. Pass three arrays of one length."
            )
        order = np.lexsort((document, -grade, query))
        return cls(query[order], document[order], grade[order], queries)

    @classmethod
    def from_qrels(
        cls, judgements: Mapping[str, Mapping[str, int]], queries: Sequence[str], row_of: Mapping[str, int]
    ) -> Judged:
        """Turn query id → {document id → grade} into arrays; queries that are not named in ``queries`` are left out."""
        lengths = [len(judgements.get(name, ())) for name in queries]
        pairs = [pair for name in queries for pair in judgements.get(name, {}).items()]
        return cls.of(
            np.repeat(np.arange(len(queries), dtype=np.int64), lengths),
            np.array([row_of.get(document, -1) for document, _ in pairs], dtype=np.int64),
            np.array([grade for _, grade in pairs], dtype=np.int64),
            len(queries),
        )

    def counts(self, level: int = 1, *, found_only: bool = False) -> IntArray:
        """Return, per query, how many documents are of grade ``level`` or above; (q,).

        ``found_only`` counts those of the collection alone.
        """
        wanted = self.grade >= level
        if found_only:
            wanted = wanted & (self.document >= 0)
        return np.bincount(self.query[wanted], minlength=self.queries).astype(np.int64)

    def gains(self, *, found_only: bool = False) -> Doubles:
        """Return, per query, the sum of the positive grades; (q,)."""
        gain = np.maximum(self.grade, 0).astype(np.float64)
        if found_only:
            gain = gain * (self.document >= 0)
        return np.asarray(np.bincount(self.query, weights=gain, minlength=self.queries), dtype=np.float64)

    def places(self) -> IntArray:
        """Return the place of each judgement in the ideal list of its query, from 0; (m,)."""
        counts = np.bincount(self.query, minlength=self.queries)
        return np.arange(len(self.query), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)

    def ideal(self, k: int | None) -> Doubles:
        """Return, per query, the discounted gain of the first k documents of its best list, of all when None; (q,)."""
        places = self.places()
        counted = (self.grade > 0) & (places < (k or len(places) + 1))
        weights = self.grade[counted] / np.log2(places[counted] + 2.0)
        return np.asarray(np.bincount(self.query[counted], weights, self.queries), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Graded:
    """Ranked lists with the grade of every document in them.

    Parameters
    ----------
    grades : ndarray of int64, shape (q, depth)
        First place first; 0 where a document was not judged, or where the list is shorter.
    judged : Judged
        Everything that was judged for the q queries.
    level : int
        The lowest grade that counts as relevant (trec_eval -l); gains do not look at it.
    """

    grades: IntArray
    judged: Judged
    level: int = 1

    def __post_init__(self) -> None:
        if self.grades.ndim != 2 or len(self.grades) != self.judged.queries:
            raise ShapeError(
                f"Graded lists must have shape (q, depth) for {self.judged.queries} judged queries. "
                f"Got {self.grades.shape}. Pass one list for each query, empty ones included."
            )

    @property
    def relevant(self) -> IntArray:
        """Number of relevant documents of each query, found or not; (q,)."""
        return self.judged.counts(self.level)


def grade(rows: IntArray, judged: Judged, *, level: int = 1) -> Graded:
    """Look up the grade of every document in ranked lists.

    Parameters
    ----------
    rows : ndarray of int64, shape (q, depth)
        Rows of documents, best first; -1 where a list is shorter.
    judged : Judged
        Of the same q queries.
    level : int
        The lowest grade that counts as relevant.

    Raises
    ------
    ShapeError
        When the number of queries differs.
    """
    if rows.ndim != 2 or len(rows) != judged.queries:
        raise ShapeError(
            f"Ranked lists must have shape (q, depth) for {judged.queries} judged queries. Got {rows.shape}. "
            "Pass one list for each query, empty ones included."
        )
    known = judged.document >= 0
    grades = look_up(rows, judged.query[known], judged.document[known], judged.grade[known], 0)
    return Graded(grades, judged, level)


def trec_order(rows: IntArray, scores: FloatArray | Doubles, name_rank: IntArray) -> IntArray:
    """Return ranked lists in trec_eval's order: score descending, then document id descending.

    Parameters
    ----------
    rows : ndarray of int64, shape (q, depth)
        -1 pads.
    scores : ndarray of float, shape (q, depth)
        Compared as float32, in which trec_eval keeps them.
    name_rank : ndarray of int64, shape (n,)
        Place of each document when all ids are sorted ascending (see `name_ranks`).

    Raises
    ------
    ParameterError
        When a score is NaN.
    """
    if rows.size == 0:
        return rows
    there = rows >= 0
    if (np.isnan(scores) & there).any():
        raise ParameterError("Scores of a run must be numbers. Got NaN. Leave those documents out, or mend the scores.")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, as it does in trec_eval
        narrow = scores.astype(np.float32)
    falling = (narrow[:, :-1] > narrow[:, 1:]) & there[:, :-1]
    mixed = np.flatnonzero(~(falling | ~there[:, 1:]).all(axis=1))
    if not mixed.size:  # as models hand them over: nothing is tied, nothing to be sorted
        return rows
    rows, there, out = rows[mixed], there[mixed], rows.copy()
    first = np.where(there, -narrow[mixed], np.inf)
    second = np.where(there, -name_rank[np.maximum(rows, 0)], 1)
    order = np.lexsort((second, first, ~there), axis=-1)
    out[mixed] = np.take_along_axis(rows, order, axis=1)
    return out


def name_ranks(ids: Sequence[str]) -> IntArray:
    """Return the place of each id when all are sorted ascending by code point, as trec_eval's strcmp does; (n,)."""
    order = sorted(range(len(ids)), key=ids.__getitem__)
    ranks = np.empty(len(ids), dtype=np.int64)
    ranks[order] = np.arange(len(ids), dtype=np.int64)
    return ranks
