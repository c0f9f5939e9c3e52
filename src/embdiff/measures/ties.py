"""Ties: neighbours that are equally near stand in every order with equal chance, and no order of rows counts as signal.

A list that has no place for all rows of a tie holds each of them with the chance "places left over rows tied". Of two
lists the orders are independent. What is linear in "row r is among the first d" is then exact with these chances
(overlap, agreement at every depth, occurrences); other measures are averaged over orders drawn at random.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from embdiff.measures.statistics.quantiles import Doubles, hypergeometric
from embdiff.records import BoolArray, IntArray, Neighbors, Ties
from embdiff.ties import Entries, entries, listed, looked_up, sizes

ORDERS = 20  # drawn for measures whose expectation nobody worked out


def have_ties(*lists: Neighbors) -> bool:
    """Return whether any neighbours of these lists are equally near."""
    return any(each.ties is not None for each in lists)


def tied_queries(neighbors: Neighbors) -> BoolArray:
    """Return which queries have neighbours that are equally near, (q,)."""
    if neighbors.ties is None:
        return np.zeros(len(neighbors.rows), dtype=bool)
    return np.asarray((neighbors.ties.size > 1).any(axis=1))


def among(rows: Entries, depth: int) -> Doubles:
    """Return the chance of each row to be among the first ``depth``."""
    chance: Doubles = np.clip((depth - rows.before) / rows.size, 0.0, 1.0)
    return chance


def times_listed(neighbors: Neighbors, rows: int) -> Doubles:
    """Return how often each row of the corpus is in a list, on the mean over all orders, (rows,)."""
    every = entries(neighbors)
    return np.asarray(np.bincount(every.row, among(every, neighbors.k), minlength=rows), dtype=np.float64)


def absent(neighbors: Neighbors, rows: int) -> Doubles:
    """Return the chance of each row of the corpus to be in no list, (rows,)."""
    every = entries(neighbors)
    with np.errstate(divide="ignore"):
        logs = np.log1p(-among(every, neighbors.k))
    return np.asarray(np.exp(np.bincount(every.row, logs, minlength=rows)))


def shared_in_any_order(a: Neighbors, b: Neighbors, depths: Iterable[int]) -> Doubles:
    """Return how many rows the first d of two lists share, on the mean over all orders, for each depth d; (q, m)."""
    left, right = _in_both(a, b)
    q = len(a.rows)
    shared = [np.bincount(left.query, among(left, depth) * among(right, depth), minlength=q) for depth in depths]
    return np.stack(shared, axis=1)


def jaccard_of_tied(a: Neighbors, b: Neighbors) -> Doubles:
    """Return the mean of ``|A n B| / |A u B|`` over all orders of the ties, (q,); NaN where both lists are empty.

    Of the rows in both lists some are certain in a list and some tied. A draws its left places out of its tie, x of
    them certain in B and y tied in B; the law of (x, y) is hypergeometric. B draws out of its own tie, in which the
    rows that A holds are then known: how many it draws is hypergeometric again.
    """
    kinds, which = np.unique(_kinds(a, b), axis=0, return_inverse=True)
    values = np.array([_mean_jaccard(*map(int, kind)) for kind in kinds])
    return np.asarray(values[which.reshape(-1)], dtype=np.float64)


def mean_ranks(ranks: IntArray, rows: IntArray, lists: Neighbors) -> IntArray | Doubles:
    """Return the ranks (q, m) of rows in these lists; of a row that is tied there the mean rank of its tie."""
    if lists.ties is None:
        return ranks
    every = entries(lists)
    at, known = looked_up(every, rows)
    return np.where(known, every.before[at] + (every.size[at] + 1) / 2, ranks)


def in_any_order(arguments: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the arguments of a measure `ORDERS` times, ties of the lists among them in random orders of their own."""
    drawn = [
        drawn_orders(each, np.random.default_rng([len(arguments), place])) if isinstance(each, Neighbors) else None
        for place, each in enumerate(arguments)
    ]
    for _ in range(ORDERS):
        yield tuple(next(lists) if lists else each for lists, each in zip(drawn, arguments, strict=True))


def told_ties(*lists: Neighbors) -> str | None:
    """Say how many queries have a tie that reaches over the end of a list; None for none."""
    over = [np.unique(each.ties.query) for each in lists if each.ties is not None]
    count = len(np.unique(np.concatenate(over))) if over else 0
    if not count:
        return None
    k = lists[0].k
    return f"{count:,} of {len(lists[0].rows):,} queries have a tie across place {k}, counted as in no order"


def in_one_order(neighbors: Neighbors, most: int = 0, *, seed: int = 0) -> Neighbors:
    """Return the lists as they are; with ties in one random order where more than ``most`` rows could be listed.

    What is counted is a table of all queries, as wide as the longest list with its tie.
    """
    if neighbors.ties is None:
        return neighbors
    longest = neighbors.k + int(np.bincount(neighbors.ties.query, minlength=1).max())
    if len(neighbors.rows) * longest <= most:
        return neighbors
    return next(drawn_orders(neighbors, np.random.default_rng(seed)))


def drawn_orders(neighbors: Neighbors, rng: np.random.Generator) -> Iterator[Neighbors]:
    """Yield `ORDERS` times the lists with their ties in a random order; what is listed is then certain."""
    every, nothing = entries(neighbors), np.empty(0, dtype=np.int64)
    for _ in range(ORDERS):
        order = np.lexsort((rng.random(len(every.row)), every.before, every.query))
        drawn = listed(every.take(order), neighbors, neighbors.rows.shape)
        if drawn.ties is not None:
            before = drawn.ties.before
            drawn = replace(drawn, ties=Ties(before, sizes(before), nothing, nothing))
        yield drawn


def _in_both(a: Neighbors, b: Neighbors) -> tuple[Entries, Entries]:
    """Return the rows that can stand in both lists, as they stand in the one and in the other."""
    left, right = entries(a), entries(b)
    stride = 1 + max(int(each.row.max(initial=0)) for each in (left, right))
    codes = [each.query * stride + each.row for each in (left, right)]
    _, in_left, in_right = np.intersect1d(codes[0], codes[1], assume_unique=True, return_indices=True)
    return left.take(in_left), right.take(in_right)


def _kinds(a: Neighbors, b: Neighbors) -> IntArray:
    """Return, per query, all that the mean depends on, (q, 9).

    Lengths of both lists together; rows certain in both; certain in A, tied in B; tied in A, certain in B; tied in
    both; then of A and of B the places left for their ties and the sizes of these.
    """
    left, right = _in_both(a, b)
    q, k = len(a.rows), a.k
    certain = [each.before + each.size <= k for each in (left, right)]
    counts = [
        np.bincount(left.query[(certain[0] == one) & (certain[1] == two)], minlength=q)
        for one, two in ((True, True), (True, False), (False, True), (False, False))
    ]
    columns = [sum(np.count_nonzero(each.rows >= 0, axis=1) for each in (a, b)), *counts]
    for each in (a, b):
        before, size = (np.full(q, k), np.ones(q, dtype=np.int64))
        if each.ties is not None:
            before, size = each.ties.before[:, -1], each.ties.size[:, -1]
        open_ended = before + size > k
        columns += [np.where(open_ended, k - before, 0), np.where(open_ended, size, 0)]
    return np.stack(columns, axis=1).astype(np.int64)


def _mean_jaccard(
    lengths: int, certain: int, there: int, here: int, both: int, left: int, tied: int, right: int, also: int
) -> float:
    """Return the mean for one kind of query; ``left`` of A's ``tied`` rows and ``right`` of B's ``also`` are listed."""
    if not lengths:
        return math.nan
    mean = 0.0
    for x, chance in _law(here, tied, left):
        for y, given in _law(both, tied - here, left - x):
            for more, then in _law(there + y, also, right):
                shared = certain + x + more
                mean += chance * given * then * shared / (lengths - shared)
    return mean


def _law(marked: int, pool: int, drawn: int) -> list[tuple[int, float]]:
    """Return how many of ``marked`` rows are among ``drawn`` out of ``pool``, each number with its chance."""
    return list(zip(*(each.tolist() for each in hypergeometric(marked, drawn, 0, pool)), strict=True))
