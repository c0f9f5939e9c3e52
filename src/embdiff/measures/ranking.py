"""Were the judged documents ranked first: nDCG, average precision, reciprocal rank, recall, precision, hit.

All follow trec_eval: a document is relevant when its grade is `Graded.level` (1) or more, gains are the grades
themselves (linear), every judged query counts, and one that retrieved nothing, or has nothing relevant, counts as 0
(``-c``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError
from embdiff.measures.base import Measure
from embdiff.measures.judged import Doubles, Graded
from embdiff.measures.ranking_scores import (
    Law,
    average_precision_by_chance,
    hit_by_chance,
    ndcg_by_chance,
    precision_by_chance,
    ranked,
    recall_by_chance,
    reciprocal_rank_by_chance,
)
from embdiff.records import IntArray


def ndcg(graded: Graded, k: int | None = None) -> Doubles:
    """Return, per query, the discounted cumulative gain of the first k documents over that of the best possible list.

    Parameters
    ----------
    graded : Graded, of q lists
    k : int, optional
        By default the whole list, against the whole ideal list.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [0, 1]; 0 when nothing is relevant.
    """
    gains = np.maximum(graded.grades[:, : _depth(graded, k)], 0).astype(np.float64)
    places = graded.judged.places()
    counted = (graded.judged.grade > 0) & (places < (k or len(places) + 1))
    ideal = np.bincount(
        graded.judged.query[counted],
        weights=graded.judged.grade[counted] / np.log2(places[counted] + 2.0),
        minlength=graded.judged.queries,
    )
    # A row-wise sum, no matrix product: BLAS rounds a row differently by where it stands among the others.
    found = np.sum(gains * _discounts(gains.shape[1]), axis=1)
    return _divided(found, np.asarray(ideal, dtype=np.float64))


def average_precision(graded: Graded) -> Doubles:
    """Return, per query, the precisions at the places of relevant documents, summed, over all relevant ones; (q,)."""
    right = graded.grades >= graded.level
    # A relevant document's precision at its own place: how many so far over the place.
    query, place = np.nonzero(right)
    so_far = np.arange(len(query)) - np.repeat(_starts(right), right.sum(axis=1)) + 1
    total = np.bincount(query, weights=so_far / (place + 1.0), minlength=len(right))
    return _divided(np.asarray(total, dtype=np.float64), graded.relevant)


def reciprocal_rank(graded: Graded, k: int | None = None) -> Doubles:
    """Return, per query, 1 / place of the first relevant document; 0 when none is among the first k; (q,)."""
    right = graded.grades[:, : _depth(graded, k)] >= graded.level
    if right.shape[1] == 0:
        return np.zeros(len(right))
    return np.where(right.any(axis=1), 1.0 / (right.argmax(axis=1) + 1.0), 0.0)


def recall(graded: Graded, k: int | None = None) -> Doubles:
    """Return, per query, the share of its relevant documents that are among the first k; (q,)."""
    return _divided(_found(graded, k), graded.relevant)


def precision(graded: Graded, k: int) -> Doubles:
    """Return, per query, the relevant documents among the first k over k, however short the list; (q,)."""
    return _found(graded, k) / _at_least_one(k)


def hit(graded: Graded, k: int) -> Doubles:
    """Return, per query, 1 when a relevant document is among the first k, else 0; (q,)."""
    return (_found(graded, k) > 0).astype(np.float64)


def _found(graded: Graded, k: int | None) -> Doubles:
    right = graded.grades[:, : _depth(graded, k)] >= graded.level
    return np.asarray(np.count_nonzero(right, axis=1), dtype=np.float64)


def _depth(graded: Graded, k: int | None) -> int:
    depth = int(graded.grades.shape[1])
    return depth if k is None else min(depth, _at_least_one(k))


def _at_least_one(k: int) -> int:
    if k < 1:
        raise ParameterError(f"k must be at least 1. Got {k}. Write for example ndcg@10.")
    return k


def _starts(right: npt.NDArray[np.bool_]) -> IntArray:
    counts = right.sum(axis=1)
    return np.asarray(np.cumsum(counts) - counts, dtype=np.int64)


def _discounts(depth: int) -> Doubles:
    return np.asarray(1.0 / np.log2(np.arange(2.0, depth + 2.0)), dtype=np.float64)


def _divided(part: Doubles, whole: Doubles | IntArray) -> Doubles:
    """Return part / whole, 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


_TREC = "trec_eval (github.com/usnistgov/trec_eval)"


def _measure(
    name: str, function: Callable[..., Doubles], *, summary: str, formula: str, direction: str, chance: str,
    reference: str, law: Law, cutoff: bool = True, reported: bool = True, usual_k: int = 10,
) -> Measure:  # fmt: skip
    """Return the record of a measure of ranked lists: what they all have in common is written here."""
    return Measure(
        name=name,
        function=function,
        summary=summary,
        formula=formula,
        needs="neighbors + qrels",
        direction=direction,
        range=(0.0, 1.0),
        symmetric=False,
        invariances=("order of the queries", "any rising change of the scores"),
        undefined_when="there are no judged queries; a query with nothing relevant counts as 0",
        chance=f"random order: {chance}",
        reference=reference,
        cutoff=cutoff,
        scorer=ranked(law),
        reported=reported,
        usual_k=usual_k,
    )


NDCG = _measure(
    "ndcg",
    ndcg,
    summary="gain of the first k documents, discounted by place, over that of the best list",
    formula="sum of grade / log2(place + 1) over the first k, divided by the same sum of the ideal list",
    direction="more of the relevant documents are found, and nearer to the top",
    chance="(sum of grades / n) * sum of 1 / log2(place + 1), over the ideal sum",
    reference=f"Järvelin and Kekäläinen 2002; {_TREC}: ndcg_cut, linear gain",
    law=ndcg_by_chance,
)
MAP = _measure(
    "map",
    average_precision,
    summary="precision at the place of each relevant document, averaged over all relevant ones",
    formula="sum over relevant documents found of (relevant so far / place), divided by all relevant",
    direction="more of the relevant documents are found, and nearer to the top",
    chance="sum over places of (R / n + (place - 1) R (R - 1) / (n (n - 1))) / place, over R",
    reference=f"Buckley and Voorhees 2000; {_TREC}: map",
    cutoff=False,
    law=average_precision_by_chance,
    reported=False,  # the lists of a comparison are short
)
MRR = _measure(
    "mrr",
    reciprocal_rank,
    summary="1 / place of the first relevant document, 0 when none is among the first k",
    formula="1 / place of the first relevant document within k",
    direction="the first relevant document is nearer to the top",
    chance="sum over places up to k of P(first relevant there) / place",
    reference=f"Voorhees 1999; MS MARCO; {_TREC}: recip_rank of a list cut at k",
    law=reciprocal_rank_by_chance,
)
RR = _measure(
    "rr",
    reciprocal_rank,
    summary="1 / place of the first relevant document in the whole list",
    formula="1 / place of the first relevant document",
    direction="the first relevant document is nearer to the top",
    chance="sum over places of P(first relevant there) / place",
    reference=f"Voorhees 1999; {_TREC}: recip_rank",
    cutoff=False,
    law=reciprocal_rank_by_chance,
    reported=False,  # the lists of a comparison are short
)
RECALL = _measure(
    "recall",
    recall,
    summary="share of a query's relevant documents that are among the first k",
    formula="|{relevant among the first k}| / |{relevant}|",
    direction="more of the relevant documents are found",
    chance="min(k, n) / n, times the share of the relevant documents that are in the collection",
    reference=f"{_TREC}: recall",
    law=recall_by_chance,
    usual_k=100,
)
PRECISION = _measure(
    "precision",
    precision,
    summary="share of the first k documents that are relevant; a short list is filled with misses",
    formula="|{relevant among the first k}| / k",
    direction="more of the first k documents are relevant",
    chance="min(k, n) / k * R / n",
    reference=f"{_TREC}: P",
    law=precision_by_chance,
)
HIT = _measure(
    "hit",
    hit,
    summary="share of queries with a relevant document among the first k",
    formula="1 if any relevant document is among the first k, else 0",
    direction="more queries that find a relevant document",
    chance="1 - C(n - R, k) / C(n, k)",
    reference=f"{_TREC}: success",
    law=hit_by_chance,
)
