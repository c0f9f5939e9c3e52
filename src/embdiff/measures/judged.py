"""Judgements and ranked lists as arrays, what measures of `ranking` are taken from; and how they are scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.base import MeasureSpec, Needs, measures_for
from embdiff.measures.inputs import Undefined, Whole
from embdiff.measures.places import look_up
from embdiff.measures.score import PerQuery
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import BoolArray, IntArray, Score

ABOVE_ZERO = float(np.finfo(np.float64).tiny)  # of grades in whole numbers 1, as trec_eval has it


@dataclass(frozen=True, eq=False)
class Judged:
    """Which documents were judged for which query, m judgements in all.

    Parameters
    ----------
    query : ndarray of int64, shape (m,)
        Number of the query, ascending.
    document : ndarray of int64, shape (m,)
        Row of the document; -1 for one that is not in the collection: it can be wanted, never found.
    grade : ndarray of float64, shape (m,)
        Descending within a query; 0 or less is not relevant.
    queries : int
        Number of queries, q; some may have no judgement.
    """

    query: IntArray
    document: IntArray
    grade: Doubles
    queries: int

    @classmethod
    def of(cls, query: IntArray, document: IntArray, grade: Doubles, queries: int) -> Judged:
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
        cls, judgements: Mapping[str, Mapping[str, float]], queries: Sequence[str], row_of: Mapping[str, int]
    ) -> Judged:
        """Turn query id → {document id → grade} into arrays; queries that are not named in ``queries`` are left out."""
        lengths = [len(judgements.get(name, ())) for name in queries]
        pairs = [pair for name in queries for pair in judgements.get(name, {}).items()]
        return cls.of(
            np.repeat(np.arange(len(queries), dtype=np.int64), lengths),
            np.array([row_of.get(document, -1) for document, _ in pairs], dtype=np.int64),
            np.array([grade for _, grade in pairs], dtype=np.float64),
            len(queries),
        )

    def lost(self, gone: BoolArray) -> Self:
        """Return the same where some of the documents, (m,), are not in the collection."""
        return replace(self, document=np.where(gone, -1, self.document))

    def counts(self, level: float = ABOVE_ZERO, *, found_only: bool = False) -> IntArray:
        """Return, per query, how many documents are of grade ``level`` or above; (q,).

        ``found_only`` counts those of the collection alone.
        """
        wanted = self.grade >= level
        if found_only:
            wanted = wanted & (self.document >= 0)
        return np.bincount(self.query[wanted], minlength=self.queries).astype(np.int64)

    def gains(self) -> Doubles:
        """Return, per query, the sum of the positive grades of documents of the collection; (q,)."""
        gain = np.maximum(self.grade, 0.0) * (self.document >= 0)
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
    grades : ndarray of float64, shape (q, depth)
        First place first; 0 where a document was not judged, or where the list is shorter.
    judged : Judged
        Everything that was judged for the q queries.
    level : float
        The lowest grade that counts as relevant (trec_eval -l), by default any above 0; gains do not look at it.
    """

    grades: Doubles
    judged: Judged
    level: float = ABOVE_ZERO

    def __post_init__(self) -> None:
        _check_lists(self.grades, self.judged)

    @property
    def relevant(self) -> IntArray:
        """Number of relevant documents of each query, found or not; (q,)."""
        return self.judged.counts(self.level)


def grade(rows: IntArray, judged: Judged, *, level: float = ABOVE_ZERO) -> Graded:
    """Look up the grade of every document in ranked lists.

    Parameters
    ----------
    rows : ndarray of int64, shape (q, depth)
        Rows of documents, best first; -1 where a list is shorter.
    judged : Judged
        Of the same q queries.
    level : float
        The lowest grade that counts as relevant.

    Raises
    ------
    ShapeError
        When the number of queries differs.
    """
    _check_lists(rows, judged)
    known = judged.document >= 0
    grades = look_up(rows, judged.query[known], judged.document[known], judged.grade[known], 0.0)
    return Graded(grades, judged, level)


def _check_lists(lists: IntArray | Doubles, judged: Judged) -> None:
    if lists.ndim != 2 or len(lists) != judged.queries:
        raise ShapeError(
            f"Ranked lists must have shape (q, depth) for {judged.queries} judged queries. Got {lists.shape}. "
            "Pass one list for each query, empty ones included."
        )


NEEDS: Needs = "neighbors + qrels"
Law = Callable[[Graded, int | None, int, int], Doubles]


@dataclass(frozen=True, eq=False)
class JudgedLists(Whole):
    """Ranked lists of one model for judged queries.

    Parameters
    ----------
    graded : Graded, of q lists
    models : tuple of one str
    documents : int or ndarray of int64, shape (q,)
        Documents that a query could find, for the level of chance.
    query_model : str or None
    depth : int or None
        The ``k`` of a measure; None means the whole lists.
    tied : str or None
        How many lists have a tie across their last place (`places.across_the_end`).
    drawn : Graded or None
        Lists drawn at random, as many for each query, of which chance is the mean; None: it is worked out exactly.
    """

    graded: Graded
    models: tuple[str, ...]
    documents: int | IntArray
    query_model: str | None = None
    depth: int | None = None
    tied: str | None = None
    drawn: Graded | None = None

    def at(self, depth: int | None) -> Self:
        """Return the same, read to a depth: what a measure makes of the rest is its own affair."""
        return replace(self, depth=depth)

    def arguments(self, needs: str) -> tuple[Any, ...]:
        """Return what a measure of judged lists is called with."""
        if needs != NEEDS:
            raise Undefined(f"judged lists have no {needs}")
        return (self.graded,) if self.depth is None else (self.graded, self.depth)


def _told(lists: JudgedLists, values: Doubles) -> str | None:
    empty = int(np.count_nonzero(lists.graded.relevant == 0))
    nothing = f"{empty} of {len(values)} queries have no relevant document and count as 0" if empty else None
    return "; ".join(filter(None, (nothing, lists.tied))) or None


@dataclass(frozen=True, kw_only=True)
class Ranked(PerQuery):
    """A value per judged query; none is left out.

    Parameters
    ----------
    law : callable
        ``law(graded, k as asked, places that count, documents)``: the expectation over random orders, (q,).
    """

    law: Law
    note: Callable[..., str | None] | None = _told
    nothing: str = "there are no judged queries"

    def chance(self, inputs: JudgedLists, values: Doubles, seed: int, **parameters: float) -> float:
        """Return the mean over all queries."""
        return float(self.by_chance(inputs.graded, inputs.depth, inputs.documents).mean())

    def mean(
        self, spec: MeasureSpec, inputs: Any, values: Doubles, within: tuple[float, float, str], seed: int
    ) -> Score:
        """Return the mean of the values with its chance level."""
        found = super().mean(spec, inputs, values, within, seed)
        if inputs.drawn is None or not len(values):
            return found
        return replace(found, chance=float(values_of(inputs.drawn, spec).mean()))

    def by_chance(self, graded: Graded, asked: int | None, documents: int | IntArray) -> Doubles:
        """Return what each query would reach on average in a random order; (q,)."""
        every = np.broadcast_to(np.asarray(documents, dtype=np.int64), len(graded.grades))
        chance = np.zeros(len(every))
        for count in np.unique(every):
            depth = min(graded.grades.shape[1], int(count))
            if depth:
                places = depth if asked is None else min(asked, depth)
                chance = np.where(every == count, self.law(graded, asked, places, int(count)), chance)
        return chance


def usual_measures() -> tuple[str, ...]:
    """Return the text forms of all measures of judged lists, each at its usual depth, the first one first."""
    return tuple(
        str(MeasureSpec(each, each.usual_k if each.cutoff else None, each.defaults)) for each in measures_for(NEEDS)
    )


def values_of(graded: Graded, spec: MeasureSpec) -> Doubles:
    """Return the values of a measure, one per query; (q,).

    Raises
    ------
    ParameterError
        When the measure is none of ranked lists.
    """
    if spec.measure.needs != NEEDS:
        raise ParameterError(
            f"A measure of ranked lists must need judgements, for example {', '.join(usual_measures()[:3])}. "
            f"Got {spec}, which needs {spec.measure.needs}. Choose another."
        )
    k = (spec.k,) if spec.measure.cutoff and spec.k is not None else ()
    return np.asarray(spec.measure.function(graded, *k, **spec.parameters), dtype=np.float64)


def random_order(graded: Graded, spec: MeasureSpec, documents: int | IntArray) -> Doubles:
    """Return what each query would reach on average if all documents were ranked at random; (q,).

    The list is as deep as the lists given (``depth``); judged documents outside the collection are never found. NaN for
    a measure whose expectation nobody worked out.

    Parameters
    ----------
    graded : Graded, of q lists
    spec : MeasureSpec
    documents : int or ndarray of int64, shape (q,)
        That a query could find.
    """
    scorer = spec.measure.scorer
    if not isinstance(scorer, Ranked):
        return np.full(len(graded.grades), np.nan)
    return scorer.by_chance(graded, spec.k, documents)
