"""Were the judged documents ranked first: nDCG, average precision, reciprocal rank, recall, precision, hit.

All follow trec_eval: a document is relevant when its grade is above 0 (`Graded.level`), gains are the grades
themselves (linear), every judged query counts, and one that retrieved nothing, or has nothing relevant, counts as 0
(``-c``).
"""

from __future__ import annotations

import numpy as np

from embdiff.errors import ParameterError
from embdiff.measures.base import Measure
from embdiff.measures.judged import NEEDS, Graded, Ranked
from embdiff.measures.statistics.quantiles import Doubles, ratio
from embdiff.records import IntArray


def ndcg(graded: Graded, k: int | None = None) -> Doubles:
    """Return, per query, the gain of the first k documents, discounted by place, over that of the best list.

    ``sum of grade / log2(place + 1) over the first k, divided by the same sum of the ideal list``.

    Parameters
    ----------
    graded : Graded, of q lists
    k : int, optional
        By default the whole list, against the whole ideal list.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [0, 1]; 0 when nothing is relevant.

    Notes
    -----
    By chance, in random order: (sum of grades / n) * sum of 1 / log2(place + 1), over the ideal sum.

    References
    ----------
    Järvelin and Kekäläinen 2002; trec_eval (github.com/usnistgov/trec_eval): ndcg_cut, linear gain.
    """
    gains = np.maximum(graded.grades[:, : _depth(graded, k)], 0.0)
    # A row-wise sum, no matrix product: BLAS rounds a row differently by where it stands among the others.
    return ratio(np.sum(gains * _discounts(gains.shape[1]), axis=1), graded.judged.ideal(k), 0.0)


def average_precision(graded: Graded) -> Doubles:
    """Return, per query, the precision at the place of each relevant document, averaged over all relevant ones.

    ``sum over relevant documents found of (relevant so far / place), divided by all relevant``; (q,).

    Notes
    -----
    By chance, in random order: sum over places of (R / n + (place - 1) R (R - 1) / (n (n - 1))) / place, over R.

    References
    ----------
    Buckley and Voorhees 2000; trec_eval (github.com/usnistgov/trec_eval): map.
    """
    right = graded.grades >= graded.level
    # A relevant document's precision at its own place: how many so far over the place.
    query, place = np.nonzero(right)
    total = np.bincount(query, weights=right.cumsum(axis=1)[right] / (place + 1.0), minlength=len(right))
    return ratio(np.asarray(total, dtype=np.float64), graded.relevant, 0.0)


def reciprocal_rank(graded: Graded, k: int | None = None) -> Doubles:
    """Return, per query, 1 / place of the first relevant document, 0 when none is among the first k.

    ``1 / place of the first relevant document``; (q,).

    Notes
    -----
    By chance, in random order: sum over places that count of P(first relevant there) / place.

    References
    ----------
    Voorhees 1999; MS MARCO; trec_eval (github.com/usnistgov/trec_eval): recip_rank, of a list cut at k if any.
    """
    right = graded.grades[:, : _depth(graded, k)] >= graded.level
    if right.shape[1] == 0:
        return np.zeros(len(right))
    return np.where(right.any(axis=1), 1.0 / (right.argmax(axis=1) + 1.0), 0.0)


def recall(graded: Graded, k: int | None = None) -> Doubles:
    """Return the share of a query's relevant documents that are among the first k.

    ``|{relevant among the first k}| / |{relevant}|``, per query; (q,).

    Notes
    -----
    By chance, in random order: min(k, n) / n, times the share of the relevant documents that are in the collection.

    References
    ----------
    trec_eval (github.com/usnistgov/trec_eval): recall.
    """
    return ratio(_found(graded, k), graded.relevant, 0.0)


def precision(graded: Graded, k: int) -> Doubles:
    """Return, per query, the share of the first k documents that are relevant; a short list is filled with misses.

    ``|{relevant among the first k}| / k``; (q,).

    Notes
    -----
    By chance, in random order: min(k, n) / k * R / n.

    References
    ----------
    trec_eval (github.com/usnistgov/trec_eval): P.
    """
    return _found(graded, k) / _at_least_one(k)


def hit(graded: Graded, k: int) -> Doubles:
    """Return, per query, ``1 if any relevant document is among the first k, else 0``; (q,).

    Notes
    -----
    By chance, in random order: 1 - C(n - R, k) / C(n, k).

    References
    ----------
    trec_eval (github.com/usnistgov/trec_eval): success.
    """
    return (_found(graded, k) > 0).astype(np.float64)


def recall_of_first(graded: Graded, sizes: IntArray) -> Doubles:
    """Return, per query, the share of its relevant documents among as many first places as ``sizes`` says; (q,).

    As `ranking.recall`, with a cut-off for each query: two ways of filling a screen are compared at equal length.
    """
    right = (graded.grades >= graded.level) & (np.arange(graded.grades.shape[1]) < sizes[:, None])
    return ratio(np.count_nonzero(right, axis=1).astype(np.float64), graded.relevant, 0.0)


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


def _discounts(depth: int) -> Doubles:
    return np.asarray(1.0 / np.log2(np.arange(2.0, depth + 2.0)), dtype=np.float64)


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
    gain = graded.judged.gains() / documents * np.sum(_discounts(k))
    return ratio(gain, graded.judged.ideal(asked), 0.0)


def _none_yet(relevant: IntArray, k: int, documents: int) -> Doubles:
    """Return the chance that none of the first 0, 1, ..., k of a random order is relevant; (q, k + 1)."""
    distinct, back = np.unique(relevant, return_inverse=True)
    place = np.arange(k)
    factors = np.clip((documents - distinct[:, None] - place) / (documents - place), 0.0, 1.0)
    table = np.concatenate([np.ones((len(distinct), 1)), np.cumprod(factors, axis=1)], axis=1)
    return np.asarray(table[back])


NDCG = Measure(
    function=ndcg,
    undefined_when="there are no judged queries; a query with nothing relevant counts as 0",
    needs=NEEDS,
    direction="more of the relevant documents are found, and nearer to the top",
    range=(0.0, 1.0),
    symmetric=False,
    invariances=("order of the queries", "any rising change of the scores"),
    scorer=Ranked(law=ndcg_by_chance),
)
MAP = NDCG.variant(
    name="map",
    function=average_precision,
    cutoff=False,
    scorer=Ranked(law=average_precision_by_chance),
    reported=False,  # the lists of a comparison are short
)
MRR = NDCG.variant(
    name="mrr",
    function=reciprocal_rank,
    direction="the first relevant document is nearer to the top",
    scorer=Ranked(law=reciprocal_rank_by_chance),
)
RR = MRR.variant(
    name="rr",
    summary="1 / place of the first relevant document in the whole list",
    cutoff=False,
    reported=False,  # the lists of a comparison are short
)
RECALL = NDCG.variant(
    function=recall,
    direction="more of the relevant documents are found",
    scorer=Ranked(law=recall_by_chance),
    usual_k=100,
)
PRECISION = NDCG.variant(
    function=precision,
    direction="more of the first k documents are relevant",
    scorer=Ranked(law=precision_by_chance),
)
HIT = NDCG.variant(
    function=hit,
    summary="share of queries with a relevant document among the first k",
    direction="more queries that find a relevant document",
    scorer=Ranked(law=hit_by_chance),
)
