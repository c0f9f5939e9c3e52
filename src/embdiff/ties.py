"""Lists with ties: every row that can stand in a list, and lists cut, picked or shortened with their ties kept.

A tie is every row whose similarity (float64) is within `TOLERANCE` of that of its nearest row, or, of the last tie of a
list, of that of the k-th row: so much may rounding add to similarities that are equal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embdiff.records import BoolArray, FloatArray, IntArray, Neighbors, Ties

TOLERANCE = 1e-12  # of a cosine; of |q| |v| for inner products, of the squared distance for l2


class Entries(NamedTuple):
    """Every row that can stand in a list, ties in any order; all arrays (m,), queries ascending, nearest first."""

    query: IntArray
    row: IntArray
    similarity: FloatArray
    before: IntArray  # rows nearer than the tie it is in
    size: IntArray  # rows in that tie

    def take(self, which: IntArray | BoolArray) -> Entries:
        """Return some of them, in the order given."""
        return Entries(self.query[which], self.row[which], self.similarity[which], self.before[which], self.size[which])


def entries(neighbors: Neighbors) -> Entries:
    """Return every row that can stand in the lists."""
    query, place = np.nonzero(neighbors.rows >= 0)
    row, similarity, ties = neighbors.rows[query, place], neighbors.similarity[query, place], neighbors.ties
    if ties is None:
        return Entries(query, row, similarity, place, np.ones_like(place))
    also = ties.query
    joined = Entries(
        np.concatenate([query, also]),
        np.concatenate([row, ties.row]),
        np.concatenate([similarity, neighbors.similarity[also, -1]]),
        np.concatenate([ties.before[query, place], ties.before[also, -1]]),
        np.concatenate([ties.size[query, place], ties.size[also, -1]]),
    )
    return joined.take(np.argsort(joined.query, kind="stable"))


def listed(every: Entries, like: Neighbors, shape: tuple[int, int]) -> Neighbors:
    """Return lists (q, k) of the first of these rows; what else is tied with the last stands in ``ties``.

    A tie is there as a whole, or as what is left of it; queries ascend, and each one's rows are nearest first.
    """
    queries, k = shape
    begin = np.searchsorted(every.query, np.arange(queries + 1))
    place = np.arange(len(every.query)) - begin[every.query]
    opens = np.ones(len(place), dtype=bool)
    opens[1:] = (every.query[1:] != every.query[:-1]) | (every.before[1:] != every.before[:-1])
    group = np.cumsum(opens) - 1
    before, size = place[opens][group], np.bincount(group)[group]
    inside, also = place < k, (place >= k) & (before < k)
    at = every.query[inside], place[inside]
    rows, similarity = np.full(shape, -1, dtype=np.int64), np.full(shape, np.nan, dtype=np.float32)
    befores, sizes = np.broadcast_to(np.arange(k), shape).copy(), np.ones(shape, dtype=np.int64)
    for table, values in ((rows, every.row), (similarity, every.similarity), (befores, before), (sizes, size)):
        table[at] = values[inside]
    ties = Ties(befores, sizes, every.query[also], every.row[also]) if (sizes > 1).any() else None
    return replace(like, rows=rows, similarity=similarity, ties=ties)


def looked_up(every: Entries, rows: IntArray) -> tuple[IntArray, BoolArray]:
    """Return which entry each of some rows of each query is, and where there is one; both as ``rows`` (q, m)."""
    stride = 1 + int(max(every.row.max(initial=0), rows.max(initial=0)))
    codes = every.query * stride + every.row
    order = np.argsort(codes)
    wanted = np.arange(len(rows))[:, None] * stride + rows
    at = order[np.minimum(np.searchsorted(codes, wanted, sorter=order), len(order) - 1)]
    return at, (codes[at] == wanted) & (rows >= 0)


def sizes(before: IntArray) -> IntArray:
    """Return how many of a query's neighbours are in the tie of each, both (q, k); ``before`` as in `Ties`."""
    tie = before + before.shape[1] * np.arange(len(before))[:, None]
    return np.asarray(np.bincount(tie.ravel(), minlength=before.size)[tie], dtype=np.int64)


def cut(neighbors: Neighbors, depth: int) -> Neighbors:
    """Return the first ``depth`` neighbours of each list."""
    if neighbors.ties is not None:
        return listed(entries(neighbors), neighbors, (len(neighbors.rows), depth))
    return replace(neighbors, rows=neighbors.rows[:, :depth], similarity=neighbors.similarity[:, :depth])


def of_queries(neighbors: Neighbors, which: IntArray | slice) -> Neighbors:
    """Return the lists of some queries, each named once."""
    if neighbors.ties is None:
        return replace(neighbors, rows=neighbors.rows[which], similarity=neighbors.similarity[which])
    number = np.full(len(neighbors.rows), -1, dtype=np.int64)
    chosen = np.arange(len(number))[which]
    number[chosen] = np.arange(len(chosen))
    every = entries(neighbors)
    kept = every.take(number[every.query] >= 0)
    order = np.argsort(number[kept.query], kind="stable")
    kept = kept.take(order)._replace(query=number[kept.query[order]])
    return listed(kept, neighbors, (len(chosen), neighbors.k))


def among_others(neighbors: Neighbors, queries: IntArray, rows: IntArray | None, shape: tuple[int, int]) -> Neighbors:
    """Return the lists as those of some ``queries`` of many, their rows by other numbers; (q, k), all else is padding.

    ``rows`` holds the new number of each row; None: they keep theirs.
    """
    places = queries, slice(neighbors.k)
    listed, similarity = np.full(shape, -1, dtype=np.int64), np.full(shape, np.nan, dtype=np.float32)
    listed[places] = neighbors.rows if rows is None else np.where(neighbors.rows >= 0, rows[neighbors.rows], -1)
    similarity[places], ties = neighbors.similarity, neighbors.ties
    if ties is not None:
        before, size = np.broadcast_to(np.arange(shape[1]), shape).copy(), np.ones(shape, dtype=np.int64)
        before[places], size[places] = ties.before, ties.size
        ties = Ties(before, size, queries[ties.query], ties.row if rows is None else rows[ties.row])
    return replace(neighbors, rows=listed, similarity=similarity, ties=ties)


def shortened(neighbors: Neighbors, gone: BoolArray, k: int) -> Neighbors:
    """Return lists (q, k) without the `entries` that are ``gone`` (m,); short ones are padded."""
    return listed(entries(neighbors).take(~gone), neighbors, (len(neighbors.rows), k))


def either(lists: Neighbors, others: Neighbors, theirs: BoolArray) -> Neighbors:
    """Return lists (q, k), those of the ``others`` where ``theirs`` (q,)."""
    if theirs.all():
        return replace(others, index=lists.index)
    one, two = entries(lists), entries(others)
    parts = [one.take(~theirs[one.query]), two.take(theirs[two.query])]
    joined = Entries(*map(np.concatenate, zip(*parts, strict=True)))
    return listed(joined.take(np.argsort(joined.query, kind="stable")), lists, lists.rows.shape)


def groups(similarity: npt.NDArray[np.float64], tolerance: npt.NDArray[np.float64]) -> IntArray:
    """Return how many rows stand before the tie of each neighbour, by similarity (q, k), highest first.

    ``tolerance`` (q,). The last tie is all that is within it of the last similarity; the others begin at their nearest.
    """
    queries, k = similarity.shape
    before = np.zeros((queries, k), dtype=np.int64)
    anchor, start = similarity[:, 0].copy(), np.zeros(queries, dtype=np.int64)
    for place in range(1, k):
        new = anchor - similarity[:, place] > tolerance
        anchor[new], start[new] = similarity[new, place], place
        before[:, place] = start
    last = similarity - similarity[:, -1:] <= tolerance[:, None]
    opening = np.argmax(last, axis=1)
    return np.where(last, opening[:, None], before)


def tied_like(returned: Neighbors, truth: Neighbors) -> Neighbors:
    """Tell the ties of lists that a store returned: those of the exact answer, where it has the same rows up to ties.

    A list that has other rows, as an approximate index may return, keeps its order.
    """
    ties = truth.ties
    if ties is None or returned.rows.shape != truth.rows.shape:
        return returned
    every, k = entries(truth), returned.k
    at, known = looked_up(every, returned.rows)
    alike = (np.where(known, every.before[at], -1) == ties.before).all(axis=1)
    before = np.where(alike[:, None], ties.before, np.arange(k))
    size = np.where(alike[:, None], ties.size, 1)
    beyond = alike[every.query] & (every.before == ties.before[every.query, -1]) & (every.before + every.size > k)
    beyond[at[known]] = False
    also = every.take(beyond)
    return replace(returned, ties=Ties(before, size, also.query, also.row))
