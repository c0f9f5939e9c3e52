"""Judged lists as inputs of measures: the values of every query, and what a random order would reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from embdiff.errors import ParameterError
from embdiff.measures.base import MeasureSpec, measures_for
from embdiff.measures.inputs import Undefined
from embdiff.measures.judged import Doubles, Graded
from embdiff.measures.score import PerQuery
from embdiff.records import IntArray

NEEDS = "neighbors + qrels"
Law = Callable[[Graded, int | None, int, int], Doubles]


@dataclass(frozen=True, eq=False)
class JudgedLists:
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
    """

    graded: Graded
    models: tuple[str, ...]
    documents: int | IntArray
    query_model: str | None = None
    depth: int | None = None

    @property
    def k(self) -> None:
        """Return that measures are taken as deep as they say."""
        return None

    def at(self, depth: int | None) -> JudgedLists:
        """Return the same, read to a depth: what a measure makes of the rest is its own affair."""
        return replace(self, depth=depth)

    def arguments(self, needs: str) -> tuple[Any, ...]:
        """Return what a measure of judged lists is called with."""
        if needs != NEEDS:
            raise Undefined(f"judged lists have no {needs}")
        return (self.graded,) if self.depth is None else (self.graded, self.depth)


@dataclass(frozen=True)
class Ranked(PerQuery):
    """A value per judged query; none is left out.

    Parameters
    ----------
    law : callable
        ``law(graded, k as asked, places that count, documents)``: the expectation over random orders, (q,).
    """

    law: Law = field(kw_only=True)

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
    return (
        scorer.by_chance(graded, spec.k, documents)
        if isinstance(scorer, Ranked)
        else np.full(len(graded.grades), np.nan)
    )


def ranked(law: Law) -> Ranked:
    """Return the scorer of a measure of judged lists with this expectation."""

    def expected(lists: JudgedLists, _values: Doubles, _seed: int, **_parameters: float) -> float:
        return float(scorer.by_chance(lists.graded, lists.depth, lists.documents).mean())

    scorer = Ranked(expected, note=_nothing_relevant, nothing="there are no judged queries", law=law)
    return scorer


def _nothing_relevant(lists: JudgedLists, values: Doubles) -> str | None:
    empty = int(np.count_nonzero(lists.graded.relevant == 0))
    return f"{empty} of {len(values)} queries have no relevant document and count as 0" if empty else None
