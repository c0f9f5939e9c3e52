"""Two lists compared place by place: rank similarity, Kendall's tau on the common rows.

By chance: lists are drawn without replacement from the candidates, in random order; a row that is in both lists for
certain (the query's own, where it can be returned) is taken to stand first in both, in the same order: it has the text
of the query.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embdiff.errors import ShapeError
from embdiff.measures.base import Measure
from embdiff.measures.inputs import TwoLists
from embdiff.measures.score import PerQuery, mean_over_kinds, of_random_lists
from embdiff.measures.statistics.quantiles import Doubles, hypergeometric, ratio
from embdiff.records import BoolArray, IntArray, Neighbors
from embdiff.ties import of_queries

_CHUNK = 2**17  # row numbers sorted at a time: what stays in the cache is fastest


class Matches(NamedTuple):
    """Every row that two lists of one query have in common; all arrays (m,), sorted by query."""

    query: IntArray
    left: IntArray  # its place in the first list, from 0
    right: IntArray  # its place in the second list, from 0


def rank_similarity(a: Neighbors, b: Neighbors) -> Doubles:
    """Return, per query, how close the common neighbours' places are, early ones counting most; read it with overlap.

    ``(1 / H_m) sum over the m common rows of 2 / ((1 + |i - j|) (i + j)), i and j their places`` from 1 in the two
    lists, H_m = 1 + 1/2 + ... + 1/m.

    Parameters
    ----------
    a, b : Neighbors, shape (q, k)
        Lists of the same queries, closest first; the rows within a list are distinct, -1 pads at the end.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [0, 1]; 0 without common rows, NaN when both lists of a query are empty. It is normalised by the number of
        *common* rows: one shared row, first in both lists, gives 1.

    Raises
    ------
    ShapeError
        When the lists differ in shape, or k is 0.

    Notes
    -----
    By chance the exact expectation over the hypergeometric number m of common rows, at random places.

    References
    ----------
    Wang et al. 2022, "Measuring similarity of word embeddings by their neighborhoods"; ReSi (Klabunde et al. 2024).
    """
    harmonic = np.concatenate([[1.0], np.cumsum(1 / np.arange(1, a.k + 1))])  # H_0 = 1: nothing in common gives 0
    out = np.empty(len(a.rows))
    for part, one, two in blocks(a, b):
        found, q = matches(one.rows, two.rows), len(one.rows)
        weight = place_weight(found.left + 1, found.right + 1)
        common = np.bincount(found.query, minlength=q)
        out[part] = np.bincount(found.query, weight, minlength=q) / harmonic[common]
    np.minimum(out, 1.0, out=out)  # rounding in the last digit
    out[lengths(a) + lengths(b) == 0] = np.nan
    return out


def kendall_tau(a: Neighbors, b: Neighbors) -> Doubles:
    """Return, per query, whether the common neighbours stand in the same order: tau-b, equal similarities are ties.

    ``(C - D) / sqrt((P - T_a) (P - T_b)) over the P pairs of common rows``: C in the same order in both lists, D in
    opposite order, T tied in that list. Neighbours of a list with equal similarity are tied: the order they are listed
    in (by row number) says nothing about the model.

    Parameters
    ----------
    a, b : Neighbors, shape (q, k)
        As for `rank_similarity`.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [-1, 1]; NaN when a query has fewer than 2 common neighbours, or all of them are tied in a list.

    Raises
    ------
    ShapeError
        When the lists differ in shape, or k is 0.

    Notes
    -----
    By chance 0, when no row is in both lists for certain.

    References
    ----------
    Kendall, "The treatment of ties in ranking problems", Biometrika 33 (1945) 239.
    """
    out = np.full(len(a.rows), np.nan)
    for part, one, two in blocks(a, b):
        out[part] = _tau(matches(one.rows, two.rows), _tied_places(one), _tied_places(two))
    return out


def lengths(neighbors: Neighbors) -> IntArray:
    """Return how many neighbours each list really has, shape (q,)."""
    out: IntArray = np.count_nonzero(neighbors.rows >= 0, axis=1)
    return out


def blocks(a: Neighbors, b: Neighbors) -> Iterator[tuple[slice, Neighbors, Neighbors]]:
    """Cut two answers into parts of some queries each, after checking that they fit together."""
    if a.rows.shape != b.rows.shape or a.k == 0:
        raise ShapeError(
            "Two lists of neighbours must have one shape (q, k), k at least 1. "
            f"Got {a.rows.shape} and {b.rows.shape}. Search the same queries with the same k."
        )
    step = max(1, _CHUNK // a.k)
    for start in range(0, len(a.rows), step):
        part = slice(start, start + step)
        yield part, of_queries(a, part), of_queries(b, part)


def shared_at_depth(a: IntArray, b: IntArray) -> IntArray:
    """Return how many rows the first d of two lists share, for every d from 1; all arrays (q, k)."""
    found, (q, k) = matches(a, b), a.shape
    depth = found.query * k + np.maximum(found.left, found.right)
    return np.bincount(depth, minlength=q * k).reshape(q, k).cumsum(axis=1)


def shared_rows(a: IntArray, b: IntArray) -> IntArray:
    """Return how many rows two lists (q, k) share, (q,)."""
    shared: IntArray = np.count_nonzero(_sorted_together(a, b)[1], axis=1)
    return shared


def matches(a: IntArray, b: IntArray) -> Matches:
    """Find the rows that two lists (q, k) have in common."""
    keys, same, bits = _sorted_together(a, b)
    flat = np.flatnonzero(same)
    query = flat // same.shape[1]
    at, mask = flat + query, (1 << bits) - 1  # a line of keys is one longer than a line of their differences
    every = keys.reshape(-1)
    return Matches(query, (every[at] & mask).astype(np.int64), (every[at + 1] & mask).astype(np.int64))


def _sorted_together(a: IntArray, b: IntArray) -> tuple[npt.NDArray[Any], BoolArray, int]:
    """Return the rows of both lists in ascending order, (q, 2k), which one is the next one, too, and bits of a place.

    One number holds the row, and below it the list and the place: rows in both lists come to stand side by side.
    """
    places = np.arange(a.shape[1])
    bits = max(1, int(places[-1]).bit_length())  # of a place; one bit more says which list
    highest = max(int(a.max(initial=0)), int(b.max(initial=0)), 2 << bits) + 1
    small = highest << (bits + 1) < 2**31
    dtype: type[np.signedinteger[Any]] = np.int32 if small else np.int64
    keys, places = np.empty((len(a), 2 * a.shape[1]), dtype=dtype), places.astype(dtype)
    for rows, half, side in ((a, slice(None, a.shape[1]), 0), (b, slice(a.shape[1], None), 1 << bits)):
        # Each pad gets a negative row of its own, so that it matches nothing.
        named = np.where(rows < 0, -1 - side - places, rows) if (rows < 0).any() else rows
        keys[:, half] = (named.astype(dtype) << (bits + 1)) + (side + places)
    keys.sort(axis=1)
    differs = keys[:, 1:] ^ keys[:, :-1]
    # Below 0 one of the two is a pad.
    return keys, (differs >= 0) & (differs < 2 << bits), bits


def _tied_places(neighbors: Neighbors) -> IntArray:
    """Return the place from 0 of each neighbour, the first place of its tie for those that are equally near; (q, k)."""
    if neighbors.ties is not None:
        return neighbors.ties.before
    places = np.broadcast_to(np.arange(neighbors.k), neighbors.rows.shape).copy()
    places[:, 1:][neighbors.similarity[:, 1:] == neighbors.similarity[:, :-1]] = 0
    return np.maximum.accumulate(places, axis=1)


def _tau(found: Matches, left: IntArray, right: IntArray) -> Doubles:
    """Tau-b per query; the queries with most in common come first, so that each step works on a full rectangle."""
    common = np.bincount(found.query, minlength=len(left))
    order = np.argsort(-common, kind="stable")
    at = np.empty_like(order)
    at[order] = np.arange(len(order))
    starts = np.concatenate([[0], np.cumsum(common)])
    row = np.arange(len(found.query)) - starts[found.query]
    widest = int(common.max(initial=0))
    x, y = (np.zeros((widest, len(left)), dtype=np.int32) for _ in range(2))
    x[row, at[found.query]] = left[found.query, found.left]
    y[row, at[found.query]] = right[found.query, found.right]
    reaching = len(left) - np.cumsum(np.bincount(common, minlength=widest + 1))  # queries with more than so many
    counts = np.zeros((3, len(left)), dtype=np.int64)  # C - D, and the pairs not tied in the one and the other list
    for last in range(1, widest):
        full = reaching[last]
        one, two = (_signs(places[last, :full], places[:last, :full]) for places in (x, y))
        for count, part in zip(counts, (one * two, one != 0, two != 0), strict=True):
            count[:full] += part.sum(axis=0, dtype=np.int32)
    tau = ratio(counts[0], np.sqrt(counts[1].astype(np.float64) * counts[2]))
    return np.asarray(np.clip(tau, -1.0, 1.0)[at])


def _signs(one: npt.NDArray[np.int32], others: npt.NDArray[np.int32]) -> npt.NDArray[np.int8]:
    """Sign of the difference, as bytes: several times faster than np.sign."""
    return (one > others).view(np.int8) - (one < others).view(np.int8)


def place_weight(i: npt.NDArray[np.int64], j: npt.NDArray[np.int64]) -> Doubles:
    """Return ``2 / ((1 + |i - j|) (i + j))`` of two places from 1: the weight that rank similarity gives a row."""
    out: Doubles = 2.0 / ((1 + np.abs(i - j)) * (i + j))
    return out


def expected_rank_similarity(left: int, right: int, certain: int, candidates: int) -> float:
    """Return the expected rank similarity; parameters as for `expected_rbo`, NaN when both lists are empty.

    Given m free common rows, their places are random in both lists: each adds the mean weight of all pairs of free
    places. The number m is `hypergeometric`.
    """
    if left + right == 0:
        return math.nan
    common, law = hypergeometric(left, right, certain, candidates)
    one, two = np.meshgrid(np.arange(certain + 1, left + 1), np.arange(certain + 1, right + 1))
    weight = float(place_weight(one, two).mean()) if one.size else 0.0
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, min(left, right) + 1))])
    matched = harmonic[certain] + (common - certain) * weight
    return float(law @ ratio(matched, harmonic[common], 0.0))


def expected_tau(common: int, certain: int) -> float:
    """Return the expected tau of ``common`` rows of which ``certain`` stand first in both lists, in the same order.

    The pairs with a certain row agree, the others cancel: ``1 - C(m - s, 2) / C(m, 2)``, 0 without certain rows. NaN
    for fewer than two common rows.
    """
    return math.nan if common < 2 else 1 - math.comb(common - certain, 2) / math.comb(common, 2)


def _expected_tau(lists: TwoLists, values: Doubles, _seed: int) -> float:
    """Return the mean chance level given how many rows each query has in common."""
    certain = lists.drawn()[:, 2]
    common = np.bincount(matches(lists.a.rows, lists.b.rows).query, minlength=len(values))
    common = np.maximum(common, 2)  # with a value; in another order of their ties the lists may have had more in common
    return mean_over_kinds(np.stack([common, certain], axis=1)[~np.isnan(values)], expected_tau)


RANK_SIMILARITY = Measure(
    function=rank_similarity,
    needs="two ordered neighbors",
    direction="common neighbours stand at closer places",
    range=(0.0, 1.0),
    symmetric=True,
    invariances=("order of the queries", "rotation, scaling and (l2) shift of either space"),
    scorer=PerQuery(of_random_lists(expected_rank_similarity), "have no neighbours in either list and"),
    best=1.0,
)
KENDALL_TAU = RANK_SIMILARITY.variant(
    function=kendall_tau,
    direction="more pairs of common neighbours in the same order",
    range=(-1.0, 1.0),
    scorer=PerQuery(_expected_tau, "have fewer than 2 common neighbours, or only tied ones, and"),
)
