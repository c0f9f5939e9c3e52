"""Scores of ranked lists: the mean over queries with its interval, and what a random order would reach."""

from __future__ import annotations

import math

import numpy as np

from embdiff.errors import ParameterError
from embdiff.measures.base import MeasureSpec, get_measure
from embdiff.measures.judged import Doubles, Graded
from embdiff.measures.share_interval import interval
from embdiff.records import IntArray, Score

RANKING_MEASURES = ("ndcg@10", "map", "mrr@10", "rr", "recall@100", "precision@10", "hit@10")


def values_of(graded: Graded, spec: MeasureSpec) -> Doubles:
    """Return the values of a measure, one per query; (q,).

    Raises
    ------
    ParameterError
        When the measure is none of ranked lists.
    """
    if spec.measure.needs != "neighbors + qrels":
        raise ParameterError(
            f"A measure of ranked lists must need judgements, for example {', '.join(RANKING_MEASURES[:3])}. "
            f"Got {spec}, which needs {spec.measure.needs}. Choose another."
        )
    if spec.measure.cutoff and spec.k is not None:
        return np.asarray(spec.measure.function(graded, spec.k), dtype=np.float64)
    return np.asarray(spec.measure.function(graded), dtype=np.float64)


def score_ranking(graded: Graded, measure: str, models: tuple[str, ...], *, documents: int, seed: int) -> Score:
    """Return the mean of a measure over all judged queries.

    Parameters
    ----------
    graded : Graded, of q lists
    measure : str
        Text form, for example ``ndcg@10``.
    models : tuple of str
        Whose lists these are.
    documents : int
        Number of documents in the collection, for the level of chance.
    seed : int
        Seed of the bootstrap over queries.
    """
    spec = get_measure(measure)
    values = values_of(graded, spec)
    low, high, method = interval(np.clip(values, 0.0, 1.0), seed=seed)
    chance = random_order(graded, spec, documents)
    empty = int(np.count_nonzero(graded.relevant == 0))
    reason = f"{empty} of {len(values)} queries have no relevant document and count as 0" if empty else None
    return Score(
        measure=str(spec),
        models=models,
        value=float(values.mean()) if len(values) else math.nan,
        low=low,
        high=high,
        chance=float(chance.mean()) if len(values) else math.nan,
        n=len(values),
        interval=method,
        reason=reason if len(values) else "there are no judged queries",
        per_query=tuple(values.tolist()),
    )


def random_order(graded: Graded, spec: MeasureSpec, documents: int) -> Doubles:
    """Return what each query would reach on average if all documents were ranked at random; (q,).

    The list is as deep as the lists given (``depth``); judged documents outside the collection are never found. NaN for
    a measure whose expectation nobody worked out.
    """
    judged, depth = graded.judged, min(graded.grades.shape[1], documents)
    k = depth if spec.k is None else min(spec.k, depth)
    relevant = judged.counts(graded.level, found_only=True)
    everything = np.maximum(graded.relevant, 1)
    name = spec.measure.name
    if documents == 0 or depth == 0:
        return np.zeros(judged.queries)
    if name == "recall":
        return np.asarray(k / documents * relevant / everything)
    if name == "precision":
        return np.asarray(k / documents * relevant / (spec.k or k))
    if name == "hit":
        return 1.0 - _none_yet(relevant, k, documents)[:, -1]
    if name in ("mrr", "rr"):
        none_yet = _none_yet(relevant, k, documents)
        return np.asarray((none_yet[:, :-1] - none_yet[:, 1:]) @ (1.0 / np.arange(1, k + 1)))
    if name == "map":
        return _random_average_precision(relevant, k, documents) / everything
    if name == "ndcg":
        return _random_ndcg(graded, spec.k, k, documents)
    return np.full(judged.queries, math.nan)


def _none_yet(relevant: IntArray, k: int, documents: int) -> Doubles:
    """Return the chance that none of the first 0, 1, ..., k of a random order is relevant; (q, k + 1)."""
    distinct, back = np.unique(relevant, return_inverse=True)
    place = np.arange(k)
    factors = np.clip((documents - distinct[:, None] - place) / (documents - place), 0.0, 1.0)
    table = np.concatenate([np.ones((len(distinct), 1)), np.cumprod(factors, axis=1)], axis=1)
    return np.asarray(table[back])


def _random_average_precision(relevant: IntArray, k: int, documents: int) -> Doubles:
    """Return the expected sum of precisions at relevant places: a pair of places is relevant with R(R-1)/n(n-1)."""
    place = np.arange(1, k + 1)
    first = np.sum(1.0 / place)
    later = np.sum((place - 1) / place)
    pairs = relevant * (relevant - 1) / (documents * max(1, documents - 1))
    return np.asarray(first * relevant / documents + later * pairs)


def _random_ndcg(graded: Graded, asked: int | None, k: int, documents: int) -> Doubles:
    judged = graded.judged
    places = judged.places()
    counted = (judged.grade > 0) & (places < (asked or len(places) + 1))
    weights = judged.grade[counted] / np.log2(places[counted] + 2.0)
    ideal = np.bincount(judged.query[counted], weights=weights, minlength=judged.queries)
    gain = judged.gains(found_only=True) / documents * np.sum(1.0 / np.log2(np.arange(2.0, k + 2.0)))
    return np.asarray(np.divide(gain, ideal, out=np.zeros(len(gain)), where=ideal > 0))
