"""The rows of ranked lists: where they stand, what is known of them, and two lists taken together.

Taken together: every row in either list, and both merged by reciprocal rank fusion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import BoolArray, ElsewhereRows, FloatArray, IntArray, Neighbors
from embdiff.ties import entries, listed

Value = TypeVar("Value", np.int64, np.float64)
_CHUNK = 2**18  # row numbers sorted at a time


def ranks_of(rows: IntArray, listed: Neighbors, elsewhere: ElsewhereRows) -> IntArray:
    """Return the rank of given rows in an answer: their place in the list, else their exact rank.

    Parameters
    ----------
    rows : ndarray of int64, shape (q, m)
        Rows to look up for each query; -1 pads.
    listed : Neighbors, shape (q, k)
        The answer's list: what was returned, or the exact neighbours. The rows within a list are distinct.
    elsewhere : ElsewhereRows, of the same q queries
        Exact ranks of rows that the answer does not hold.

    Returns
    -------
    ndarray of int64, shape (q, m)
        From 1; -1 for a pad, and for a row that neither knows.

    Raises
    ------
    ShapeError
        When the number of queries differs.
    """
    q = len(rows)
    if not q == len(listed.rows) == len(elsewhere.rows):
        raise ShapeError(
            f"Rows, list and ranks must be of the same queries. Got {q}, {len(listed.rows)} and "
            f"{len(elsewhere.rows)}. Pass one line for each query."
        )
    out = np.full(rows.shape, -1, dtype=np.int64)
    places = np.broadcast_to(np.arange(1, listed.k + 1), listed.rows.shape)
    step = max(1, _CHUNK // max(1, rows.shape[1] + listed.k + elsewhere.rows.shape[1]))
    for start in range(0, q, step):
        part = slice(start, start + step)
        # The list comes first: of two keys that are equal, the first is found.
        known = np.concatenate([listed.rows[part], elsewhere.rows[part]], axis=1)
        ranks = np.concatenate([places[part], elsewhere.ranks[part]], axis=1)
        there = known >= 0
        out[part] = look_up(rows[part], np.nonzero(there)[0], known[there], ranks[there], -1)
    return out


def look_up(
    rows: IntArray, lines: IntArray, known: IntArray, values: npt.NDArray[Value], missing: float
) -> npt.NDArray[Value]:
    """Return what is known of the rows of each line, such as of the documents in each query's list.

    Parameters
    ----------
    rows : ndarray of int64, shape (q, m)
        -1 pads.
    lines, known : ndarray of int64, shape (n,)
    values : ndarray, shape (n,)
        Of two values for one row of a line the first counts.
    missing : float
        For a pad, and for a row of which nothing is known.

    Returns
    -------
    ndarray of the type of the values, shape (q, m)
    """
    # One number per (line, row), sorted, so that one look-up answers for all lines.
    stride = 1 + int(max(rows.max(initial=0), known.max(initial=0)))
    keys = lines * stride + known
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    out = np.full(rows.shape, missing, dtype=values.dtype)
    if keys.size:
        asked = np.arange(len(rows), dtype=np.int64)[:, None] * stride + rows
        likely = np.flatnonzero(_may_be(keys, asked) & (rows >= 0))
        some = asked.reshape(-1)[likely]
        place = np.minimum(np.searchsorted(keys, some), len(keys) - 1)
        out.reshape(-1)[likely] = np.where(keys[place] == some, values[place], missing)
    return out


def _may_be(keys: IntArray, asked: IntArray) -> BoolArray:
    """Return where a number can be among the keys: mostly little is known, and the others are sorted out.

    One bit of a table for the last digits of each key; a number that shares them with a key is looked up in vain.
    """
    size = 1 << min(22, max(10, (16 * len(keys)).bit_length()))
    table = np.zeros(size, dtype=bool)
    table[keys & (size - 1)] = True
    found: BoolArray = table[asked & (size - 1)]
    return found


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


def _check(a: IntArray, b: IntArray) -> None:
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b):
        raise ShapeError(
            f"Two ranked lists must have shape (q, depth) for the same q queries. Got {a.shape} and {b.shape}. "
            "Pass one list for each query, empty ones included."
        )


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


def ties_by_id(neighbors: Neighbors, name_rank: IntArray) -> Neighbors:
    """Return lists whose ties (`embdiff.ties`) stand by document id descending, with one similarity each.

    Of a tie that crosses the last place the documents with the highest ids are listed, whatever their rows. Then
    `trec_order` knows no similarities that differ by rounding alone.
    """
    if neighbors.ties is None:
        return neighbors
    every = entries(neighbors)
    every = every._replace(similarity=neighbors.similarity[every.query, every.before])
    order = np.lexsort((-name_rank[every.row], every.before, every.query))
    return listed(every.take(order), neighbors, neighbors.rows.shape)


def across_the_end(neighbors: Neighbors, names: str = "queries") -> str | None:
    """Say how many lists have a tie across their last place, which the order by id decides; None when none has."""
    count = 0 if neighbors.ties is None else len(np.unique(neighbors.ties.query))
    if not count:
        return None
    return (
        f"{count:,} of {len(neighbors.rows):,} {names} have a tie across place {neighbors.k:,}: those with the highest "
        "ids are listed, as trec_eval orders them"
    )


def name_ranks(ids: Sequence[str]) -> IntArray:
    """Return the place of each id when all are sorted ascending by code point, as trec_eval's strcmp does; (n,)."""
    order = sorted(range(len(ids)), key=ids.__getitem__)
    ranks = np.empty(len(ids), dtype=np.int64)
    ranks[order] = np.arange(len(ids), dtype=np.int64)
    return ranks
