"""Judged lists as inputs of measures: the values of every query, and what a random order would reach."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
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
    law : callable, optional
        ``law(graded, k as asked, places that count, documents)``: the expectation over random orders, (q,).
    """

    law: Law | None = None


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


def random_order(graded: Graded, spec: MeasureSpec, documents: int) -> Doubles:
    """Return what each query would reach on average if all documents were ranked at random; (q,).

    The list is as deep as the lists given (``depth``); judged documents outside the collection are never found. NaN for
    a measure whose expectation nobody worked out.
    """
    law = getattr(spec.measure.scorer, "law", None)
    return np.full(graded.judged.queries, math.nan) if law is None else _expectation(law, graded, spec.k, documents)


def _expectation(law: Law, graded: Graded, asked: int | None, documents: int) -> Doubles:
    depth = min(graded.grades.shape[1], documents)
    if depth == 0:
        return np.zeros(graded.judged.queries)
    return law(graded, asked, depth if asked is None else min(asked, depth), documents)


def ranked(law: Law) -> Ranked:
    """Return the scorer of a measure of judged lists with this expectation."""

    def expected(lists: JudgedLists, values: Doubles, _seed: int, **_parameters: float) -> float:
        documents = np.broadcast_to(np.asarray(lists.documents, dtype=np.int64), len(values))
        chance = np.empty(len(values))
        for count in np.unique(documents):
            at = documents == count
            chance[at] = _expectation(law, lists.graded, lists.depth, int(count))[at]
        return float(chance.mean())

    return Ranked(expected, note=_nothing_relevant, nothing="there are no judged queries", law=law)


def _nothing_relevant(lists: JudgedLists, values: Doubles) -> str | None:
    empty = int(np.count_nonzero(lists.graded.relevant == 0))
    return f"{empty} of {len(values)} queries have no relevant document and count as 0" if empty else None


def _wanted(graded: Graded) -> tuple[IntArray, IntArray]:
    """Return, per query, the relevant documents of the collection, and all relevant ones, at least 1."""
    return graded.judged.counts(graded.level, found_only=True), np.maximum(graded.relevant, 1)


def recall_by_chance(graded: Graded, _asked: int | None, k: int, documents: int) -> Doubles:
    """Return ``k / n`` of the relevant documents that are in the collection, over all relevant ones."""
    relevant, everything = _wanted(graded)
    return np.asarray(k / documents * relevant / everything)


def precision_by_chance(graded: Graded, asked: int | None, k: int, documents: int) -> Doubles:
    """Return ``k / n R`` over the k asked for."""
    return np.asarray(k / documents * _wanted(graded)[0] / (asked or k))


def hit_by_chance(graded: Graded, _asked: int | None, k: int, documents: int) -> Doubles:
    """Return ``1 - C(n - R, k) / C(n, k)``."""
    return np.asarray(1.0 - _none_yet(_wanted(graded)[0], k, documents)[:, -1])


def reciprocal_rank_by_chance(graded: Graded, _asked: int | None, k: int, documents: int) -> Doubles:
    """Return the sum over places of the chance that the first relevant document stands there, over the place."""
    none_yet = _none_yet(_wanted(graded)[0], k, documents)
    return np.asarray((none_yet[:, :-1] - none_yet[:, 1:]) @ (1.0 / np.arange(1, k + 1)))


def average_precision_by_chance(graded: Graded, _asked: int | None, k: int, documents: int) -> Doubles:
    """Return the expected sum of precisions at relevant places: a pair of places is relevant with R(R-1)/n(n-1)."""
    relevant, everything = _wanted(graded)
    place = np.arange(1, k + 1)
    pairs = relevant * (relevant - 1) / (documents * max(1, documents - 1))
    return np.asarray(np.sum(1.0 / place) * relevant / documents + np.sum((place - 1) / place) * pairs) / everything


def ndcg_by_chance(graded: Graded, asked: int | None, k: int, documents: int) -> Doubles:
    """Return the mean gain at every place, discounted, over the ideal sum."""
    judged = graded.judged
    places = judged.places()
    counted = (judged.grade > 0) & (places < (asked or len(places) + 1))
    weights = judged.grade[counted] / np.log2(places[counted] + 2.0)
    ideal = np.bincount(judged.query[counted], weights=weights, minlength=judged.queries)
    gain = judged.gains(found_only=True) / documents * np.sum(1.0 / np.log2(np.arange(2.0, k + 2.0)))
    return np.asarray(np.divide(gain, ideal, out=np.zeros(len(gain)), where=ideal > 0))


def _none_yet(relevant: IntArray, k: int, documents: int) -> Doubles:
    """Return the chance that none of the first 0, 1, ..., k of a random order is relevant; (q, k + 1)."""
    distinct, back = np.unique(relevant, return_inverse=True)
    place = np.arange(k)
    factors = np.clip((documents - distinct[:, None] - place) / (documents - place), 0.0, 1.0)
    table = np.concatenate([np.ones((len(distinct), 1)), np.cumprod(factors, axis=1)], axis=1)
    return np.asarray(table[back])
