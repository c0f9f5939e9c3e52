"""Two ranked lists taken together: every document in either, and both merged by reciprocal rank fusion."""

from __future__ import annotations

import numpy as np

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.judged import Doubles, Graded, trec_order
from embdiff.records import IntArray

RRF_K = 60  # as published: keeps a single first place from outweighing two good ones


def union_rows(a: IntArray, b: IntArray, k: int) -> IntArray:
    """Return every document that is among the first k of either list, once.

    Parameters
    ----------
    a, b : ndarray of int64, shape (q, depth)
        Rows of documents, best first, each once in a list; -1 pads. The depths may differ.
    k : int
        At least 1.

    Returns
    -------
    ndarray of int64, shape (q, at most 2 k)
        In no order that means anything; -1 pads.

    Raises
    ------
    ShapeError
        When the lists are not of the same queries.
    ParameterError
        When k is below 1.
    """
    _check(a, b)
    if k < 1:
        raise ParameterError(f"k of a union must be at least 1. Got {k}. Pass for example 100.")
    both = np.sort(np.concatenate([a[:, :k], b[:, :k]], axis=1), axis=1)
    both[:, 1:][both[:, 1:] == both[:, :-1]] = -1
    return both


def fused_rows(a: IntArray, b: IntArray, name_rank: IntArray, k: int = RRF_K) -> IntArray:
    """Merge two lists by reciprocal rank fusion.

    A document gets ``sum over the lists that hold it of 1 / (k + place)``, places from 1.

    Parameters
    ----------
    a, b : ndarray of int64, shape (q, depth)
        As for `union_rows`, whole.
    name_rank : ndarray of int64, shape (n,)
        Place of each document when all ids are sorted (`judged.name_ranks`): equal sums, which are frequent (one
        document in the first list only, another at the same place in the second only), stand by id descending, so that
        neither list is preferred.
    k : int
        60 as published; at least 0.

    Returns
    -------
    ndarray of int64, shape (q, depth of a + depth of b)
        Best first; -1 pads at the end.

    Raises
    ------
    ShapeError
        When the lists are not of the same queries.
    ParameterError
        When k is below 0.

    References
    ----------
    Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
    SIGIR 2009.
    """
    rows, sums = fused_sums(a, b, k)
    return trec_order(rows, sums, name_rank)


def fused_sums(a: IntArray, b: IntArray, k: int = RRF_K) -> tuple[IntArray, Doubles]:
    """Return the documents of two lists, once each, and their sums of 1 / (k + place); both (q, depth of a + of b).

    Ordered by row; -1 pads anywhere, with a sum that means nothing. Parameters and errors as for `fused_rows`.
    """
    _check(a, b)
    if k < 0:
        raise ParameterError(f"k of reciprocal rank fusion must be at least 0. Got {k}. Pass 60 as published.")
    places = np.concatenate([np.arange(1, a.shape[1] + 1), np.arange(1, b.shape[1] + 1)])
    both = np.concatenate([a, b], axis=1)
    order = np.argsort(both, axis=1, kind="stable")
    rows, sums = np.take_along_axis(both, order, axis=1), (1.0 / (k + places))[order]
    twice = (rows[:, 1:] == rows[:, :-1]) & (rows[:, 1:] >= 0)
    sums[:, :-1] += np.where(twice, sums[:, 1:], 0.0)
    rows[:, 1:][twice] = -1
    return rows, sums


def recall_of_first(graded: Graded, sizes: IntArray) -> Doubles:
    """Return, per query, the share of its relevant documents among as many first places as ``sizes`` says; (q,).

    As `ranking.recall`, with a cut-off for each query: two ways of filling a screen are compared at equal length.
    """
    right = (graded.grades >= graded.level) & (np.arange(graded.grades.shape[1]) < sizes[:, None])
    found, wanted = np.count_nonzero(right, axis=1).astype(np.float64), graded.relevant
    out: Doubles = np.divide(found, wanted, out=np.zeros(len(found)), where=wanted > 0)
    return out


def _check(a: IntArray, b: IntArray) -> None:
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b):
        raise ShapeError(
            f"Two ranked lists must have shape (q, depth) for the same q queries. Got {a.shape} and {b.shape}. "
            "Pass one list for each query, empty ones included."
        )
