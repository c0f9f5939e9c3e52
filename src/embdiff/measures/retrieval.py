"""Did a query find what it had to find: its own row, the exact neighbours, the results somebody expected."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.base import Measure
from embdiff.measures.inputs import OneSearch
from embdiff.measures.places import look_up
from embdiff.measures.score import PerQuery
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import FloatArray, IntArray, Neighbors

_TOLERANCE = 1e-6  # what float32 arithmetic in a store may confuse, as a share of the scale of the similarities


def self_retrieval(neighbors: Neighbors, self_rows: Sequence[IntArray]) -> Doubles:
    """Return, per query, ``1 if the first result has the text of the query, else 0``: its own row, or one like it.

    Parameters
    ----------
    neighbors : Neighbors, shape (q, k)
    self_rows : sequence of q arrays of int64
        The rows with the text of each query.

    Returns
    -------
    ndarray of float64, shape (q,)
        0 or 1; NaN when the text of the query is no row of the corpus.

    Notes
    -----
    By chance own rows / n, mean over queries.

    References
    ----------
    recall@1 of a known item.
    """
    place = first_place(neighbors, self_rows)
    return np.where(np.isnan(place), np.nan, place == 1)


def first_place(neighbors: Neighbors, expected: Sequence[IntArray]) -> Doubles:
    """Return, per query, the place from 1 of the first expected row in its list.

    Parameters
    ----------
    neighbors : Neighbors, shape (q, k)
    expected : sequence of q arrays of int64
        The rows that each query should find; empty when nothing is known.

    Returns
    -------
    ndarray of float64, shape (q,)
        Infinite when none is in the list; NaN when the query expects nothing.

    Raises
    ------
    ShapeError
        When there is not one array per query, or k is 0.
    """
    if len(expected) != len(neighbors.rows) or neighbors.k == 0:
        raise ShapeError(
            f"There must be one array of rows for each list of neighbours, and k at least 1. Got {len(expected)} "
            f"arrays and lists of shape {neighbors.rows.shape}. Give an empty array where nothing is expected."
        )
    lengths = np.array([len(rows) for rows in expected], dtype=np.int64)
    wanted = np.concatenate([np.zeros(0, dtype=np.int64), *expected]).astype(np.int64)
    right = look_up(neighbors.rows, np.repeat(np.arange(len(expected)), lengths), wanted, np.ones_like(wanted), 0) > 0
    place = np.where(right.any(axis=1), right.argmax(axis=1) + 1.0, math.inf)
    return np.where(lengths > 0, place, np.nan)


def expected_hit(neighbors: Neighbors, expected: Sequence[IntArray]) -> Doubles:
    """Return, per query, ``1 if any expected row is in the list, else 0``; NaN when a query expects nothing.

    Notes
    -----
    By chance 1 - C(n - e, k) / C(n, k) for e expected rows, mean over queries.

    References
    ----------
    success@k of the TREC tradition.
    """
    place = first_place(neighbors, expected)
    return np.where(np.isnan(place), np.nan, place < math.inf)


def index_recall(returned: Neighbors, exact: Neighbors, similarity: FloatArray) -> Doubles:
    """Return, per query, the share of the k results of an index that are as close as the exact k-th neighbour.

    ``|{returned : similarity >= exact k-th similarity}| / k``; where fewer than k rows have a rank at all, of those.

    Parameters
    ----------
    returned : Neighbors, shape (q, k)
        What the index gave; -1 where it gave nothing.
    exact : Neighbors, shape (q, k)
        The exact answer to the same queries.
    similarity : ndarray of float32, shape (q, k)
        Exact similarity of the returned rows (`embdiff.exact.similarity`), NaN for -1.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [0, 1], NaN where no row has a rank. A returned row is right when its exact similarity reaches the exact
        k-th best, ties included, less 1e-6 of the scale (1 for cosine, else the largest absolute similarity of the
        exact list). Missing rows are lost.

    Raises
    ------
    ShapeError
        When shapes or metrics differ, or k is 0.

    Notes
    -----
    By chance k / candidates.

    The mean is NaN when there are no queries.

    References
    ----------
    Aumüller, Bernhardsson and Faithfull 2020 (ANN-Benchmarks): distance-based recall.
    """
    if not (returned.rows.shape == exact.rows.shape == similarity.shape) or exact.k == 0:
        raise ShapeError(
            "Returned rows, exact rows and similarities must have one shape (q, k), k at least 1. "
            f"Got {returned.rows.shape}, {exact.rows.shape} and {similarity.shape}. Search the same queries, same k."
        )
    if returned.metric != exact.metric:
        raise ParameterError(
            f"Both lists must come from one metric. Got {returned.metric} and {exact.metric}. Search with one metric."
        )
    there = exact.rows >= 0
    best, count = np.where(there, exact.similarity, np.inf).astype(np.float64), there.sum(axis=1)
    scale = np.ones(len(best)) if exact.metric == "cosine" else np.abs(np.where(there, best, 0.0)).max(axis=1)
    lowest = best.min(axis=1) - _TOLERANCE * scale
    right = (returned.rows >= 0) & (similarity >= lowest[:, None])
    return np.where(count > 0, np.minimum(right.sum(axis=1), count) / np.maximum(count, 1), np.nan)


def lost_by_index(returned: Neighbors, exact: Neighbors) -> IntArray:
    """Return, per query, the exact neighbours that an index did not return, (q, m), -1 where there are fewer.

    Where `index_recall` is 1 nothing is lost, whichever of equally near rows were returned; m is 0 where that holds for
    every query. The similarities of what was returned are taken as the index gave them.
    """
    short = np.flatnonzero(index_recall(returned, exact, returned.similarity) < 1.0)
    missing = [np.setdiff1d(exact.rows[query], [*returned.rows[query], -1]) for query in short]
    found = np.full((len(exact.rows), max(map(len, missing), default=0)), -1, dtype=np.int64)
    for query, rows in zip(short, missing, strict=True):
        found[query, : len(rows)] = rows
    return found


def expected_hits(k: int, expected: int, candidates: int) -> float:
    """Return the chance that k rows drawn from ``candidates`` hold one of ``expected``: ``1 - C(n-e, k) / C(n, k)``."""
    if expected + k > candidates:
        return 1.0
    # A product of ratios below 1: no number ever gets large.
    return 1.0 - math.prod((candidates - expected - i) / (candidates - i) for i in range(k))


def _own_by_chance(search: OneSearch, _values: Doubles, _seed: int) -> float:
    return float(np.mean([len(own) / search.documents for own in search.own if len(own)]))


def _hit_by_chance(search: OneSearch, _values: Doubles, _seed: int) -> float:
    """Return the mean of 1 - C(n - e, k) / C(n, k) over the queries that expect e >= 1 rows."""
    sizes = [len(np.unique(rows)) for rows in search.expected or ()]
    pool = np.broadcast_to(np.asarray(search.candidates, dtype=np.int64), len(sizes))
    return float(np.mean([expected_hits(search.k, size, int(n)) for size, n in zip(sizes, pool, strict=True) if size]))


def _recall_by_chance(search: OneSearch, values: Doubles, _seed: int) -> float:
    return float(np.mean(np.broadcast_to(search.k / np.asarray(search.candidates, dtype=np.float64), len(values))))


SELF_RETRIEVAL = Measure(
    function=self_retrieval,
    summary="share of queries whose first result is their own row, or one with the same text",
    needs="neighbors + own rows",
    direction="more queries that find themselves",
    range=(0.0, 1.0),
    symmetric=False,
    invariances=("order of the queries", "rotation, scaling and (l2) shift of the space"),
    scorer=PerQuery(_own_by_chance, "whose text is no row of the corpus"),
)
EXPECTED_HIT = SELF_RETRIEVAL.variant(
    function=expected_hit,
    summary="share of queries with at least one expected result among the first k",
    needs="neighbors + expected rows",
    direction="more queries that find an expected result",
    scorer=PerQuery(_hit_by_chance, "without any expected result"),
)
INDEX_RECALL = Measure(
    function=index_recall,
    needs="returned + exact neighbors",
    direction="fewer neighbours lost by the index",
    range=(0.0, 1.0),
    symmetric=False,
    invariances=("order of the queries", "order of the returned rows", "which of several tied rows is returned"),
    scorer=PerQuery(_recall_by_chance, "for which no row has a rank"),
)
