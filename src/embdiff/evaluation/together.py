"""Would using both help: two models' lists merged, and all they find between them, against the higher one alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from embdiff._plain import Record
from embdiff.measures.base import get_measure
from embdiff.measures.differences import ALPHA
from embdiff.measures.judged import Graded, Judged, grade, random_order, values_of
from embdiff.measures.paired import PairedTest, paired_test
from embdiff.measures.places import RRF_K, fused_rows, union_rows
from embdiff.measures.ranking import recall_of_first
from embdiff.measures.statistics.quantiles import Doubles, holm
from embdiff.measures.statistics.resampling import interval
from embdiff.records import IntArray

FUSED = ("ndcg@10", "recall@100")
UNION = 100
Way = Literal["fusion", "union"]
PROTOCOL = (
    f"fusion: reciprocal rank fusion of the whole lists, k = {RRF_K}, equal sums by document id descending. union: "
    f"every document among the first {UNION} of either, against the first of one model alone, as many for each query. "
    "p of a gain: the larger of the paired tests against both models, so that choosing the higher one by these queries "
    "makes no gain (it makes gains look smaller); of a loss: twice that against the higher one. Holm over the pairs"
)


@dataclass(frozen=True)
class Gain(Record):
    """What two models reach together.

    Parameters
    ----------
    models : tuple of str
    way : {"fusion", "union"}
        One merged list, or both lists read to k (what a perfect merger could find: an upper limit).
    measure : str
        Text form.
    value, low, high, chance : float
        Of both together, with 95 % interval, and of two random orders together.
    alone : tuple of float
        Of each model alone, at the same k.
    compared : tuple of float
        Of each model alone, as compared: for a union with as many documents read, else as ``alone``.
    documents : float or None
        Documents in the union, mean over queries; None for fusion.
    higher : str
        The model that is higher alone, as compared, on these queries.
    difference, difference_low, difference_high : float
        Mean of both together minus the higher one alone, with the 95 % interval of that difference.
    p, p_holm : float
        As the protocol says.
    detectable : float
        The smallest difference from the higher one that so many queries show with 80 % power.
    n : int
        Queries.
    answer : str
        ``helps``, ``hurts`` or ``not shown``.
    """

    models: tuple[str, str]
    way: Way
    measure: str
    value: float
    low: float
    high: float
    chance: float
    alone: tuple[float, float]
    compared: tuple[float, float]
    documents: float | None
    higher: str
    difference: float
    difference_low: float
    difference_high: float
    p: float
    p_holm: float
    detectable: float
    n: int
    answer: str = "not shown"


def together(
    lists: Mapping[str, IntArray], judged: Judged, name_rank: IntArray, *, documents: IntArray, seed: int
) -> tuple[Gain, ...]:
    """Take every two models together.

    Parameters
    ----------
    lists : mapping of str to ndarray of int64, shape (q, depth)
        Model to its lists, best first, -1 pads.
    judged : Judged
        Of the same queries.
    name_rank : ndarray of int64, shape (n,)
    documents : ndarray of int64, shape (q,)
        That a query could find, for the level of chance.
    seed : int
        Of tests and intervals.

    Returns
    -------
    tuple of Gain
        Measure by measure, pairs within: fusion first, then the union.
    """
    alone = {model: grade(rows, judged) for model, rows in lists.items()}
    found: dict[tuple[str, str], list[Gain]] = {}
    for a, b in combinations(lists, 2):
        graded = (alone[a], alone[b])
        merged = grade(fused_rows(lists[a], lists[b], name_rank), judged)
        for gain in (
            *_fused((a, b), graded, merged, documents, seed),
            _union((a, b), graded, union_rows(lists[a], lists[b], UNION), documents, seed),
        ):
            found.setdefault((gain.way, gain.measure), []).append(gain)
    return tuple(gain for pairs in found.values() for gain in _adjusted(pairs))


def _fused(
    models: tuple[str, str], graded: tuple[Graded, Graded], merged: Graded, documents: IntArray, seed: int
) -> Iterator[Gain]:
    for text in FUSED:
        spec = get_measure(text)
        chance = float(random_order(merged, spec, documents).mean())
        one, two = (values_of(each, spec) for each in graded)
        yield _gain(models, "fusion", text, values_of(merged, spec), (one, two), chance, seed)


def _union(
    models: tuple[str, str], graded: tuple[Graded, Graded], rows: IntArray, documents: IntArray, seed: int
) -> Gain:
    """Compare both lists read to k with one model's list read to as many documents."""
    text = f"recall@{UNION}"
    spec = get_measure(text)
    sizes = np.count_nonzero(rows >= 0, axis=1)
    judged = graded[0].judged
    value = values_of(grade(rows, judged), replace(spec, k=None))
    compared = (recall_of_first(graded[0], sizes), recall_of_first(graded[1], sizes))
    here = judged.counts(found_only=True) / np.maximum(judged.counts(), 1)
    read = np.minimum(UNION, documents) / np.maximum(1, documents)
    chance = float(np.mean(here * (1.0 - (1.0 - read) ** 2)))
    one, two = (float(values_of(each, spec).mean()) for each in graded)
    gain = _gain(models, "union", text, value, compared, chance, seed)
    return replace(gain, alone=(one, two), documents=float(sizes.mean()))


def _gain(
    models: tuple[str, str],
    way: Way,
    measure: str,
    values: Doubles,
    compared: tuple[Doubles, Doubles],
    chance: float,
    seed: int,
) -> Gain:
    both = " + ".join(models)
    tests = [
        paired_test(values, single, (both, model), measure=measure, seed=seed, widest=1.0)
        for model, single in zip(models, compared, strict=True)
    ]
    means = (float(compared[0].mean()), float(compared[1].mean()))
    higher = 0 if means[0] >= means[1] else 1
    low, high, _ = interval(np.clip(values, 0.0, 1.0), seed=seed)
    test = tests[higher]
    p = _p(tests, test)
    return Gain(
        models=models, way=way, measure=measure, value=float(values.mean()), low=low, high=high, chance=chance,
        alone=means, compared=means, documents=None, higher=models[higher], difference=test.difference,
        difference_low=test.low, difference_high=test.high, p=p, p_holm=p, detectable=test.detectable, n=test.n,
    )  # fmt: skip


def _p(tests: Sequence[PairedTest], higher: PairedTest) -> float:
    """Return a p-value that holds although the higher model was chosen by the same queries.

    A gain over the higher model is a gain over both: both tests must reject (Berger 1982, intersection-union). A loss
    against it may be claimed when either is lost against: Bonferroni over the two.
    """
    if higher.difference > 0:
        return max(test.p for test in tests)
    return min(1.0, 2 * higher.p)


def _adjusted(gains: Sequence[Gain]) -> list[Gain]:
    adjusted = holm([gain.p for gain in gains])
    out = []
    for gain, p in zip(gains, adjusted, strict=True):
        known = p < ALPHA
        answer = "not shown" if not known else "helps" if gain.difference > 0 else "hurts"
        out.append(replace(gain, p_holm=float(p), answer=answer))
    return out
