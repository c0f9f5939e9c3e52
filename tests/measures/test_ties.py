"""Ties stand in every order: what is expected, against going through all orders."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from embdiff.measures.ties import ORDERS, among, drawn_orders, jaccard_of_tied, shared_in_any_order
from embdiff.records import Neighbors, Ties
from embdiff.ties import cut, entries, groups, of_queries, shortened


def listed(scores: np.ndarray, k: int) -> Neighbors:
    """Return the first k rows of each query by whole scores (q, n), ties told."""
    order = np.argsort(-scores, axis=1, kind="stable")
    rows, values = order[:, :k], np.take_along_axis(scores, order, axis=1)[:, :k]
    before = (scores[:, None, :] > values[:, :, None]).sum(axis=2)
    size = (scores[:, None, :] == values[:, :, None]).sum(axis=2)
    query, place = np.nonzero(np.take_along_axis(scores, order, axis=1)[:, k:] == values[:, -1:])
    ties = Ties(before, size, query, order[query, k + place])
    return Neighbors(rows, values.astype(np.float32), "ip", ties=ties)


def all_lists(scores: np.ndarray, k: int) -> list[tuple[int, ...]]:
    """Return the first k rows in each order that the scores (n,) allow, one entry for each order of all rows."""
    groups = [np.flatnonzero(scores == value).tolist() for value in sorted(set(scores.tolist()), reverse=True)]
    parts = itertools.product(*(itertools.permutations(group) for group in groups))
    return [tuple(itertools.chain(*part))[:k] for part in parts]


@pytest.mark.parametrize("seed", range(12))
def test_means_are_those_over_all_orders(seed: int):
    rng = np.random.default_rng(seed)
    k, n = int(rng.integers(1, 5)), 6
    one, two = (rng.integers(0, rng.integers(1, 5), (3, n)) for _ in range(2))
    a, b = listed(one, k), listed(two, k)
    shared, jaccard = shared_in_any_order(a, b, range(1, k + 1)), jaccard_of_tied(a, b)
    for query in range(3):
        pairs = list(itertools.product(all_lists(one[query], k), all_lists(two[query], k)))
        for depth in range(1, k + 1):
            counts = [len(set(left[:depth]) & set(right[:depth])) for left, right in pairs]
            assert shared[query, depth - 1] == pytest.approx(np.mean(counts), abs=1e-12)
        both = np.array(counts)
        assert jaccard[query] == pytest.approx(np.mean(both / (2 * k - both)), abs=1e-12)


def test_a_cut_list_and_some_queries_keep_their_ties():
    scores = np.array([[3, 2, 2, 2, 1, 1], [1, 1, 1, 1, 1, 1], [6, 5, 4, 3, 2, 1]])
    for depth in range(1, 6):
        whole, less = listed(scores, depth), cut(listed(scores, 5), depth)
        for name in ("before", "size", "query", "row"):
            assert np.array_equal(getattr(less.ties, name), getattr(whole.ties, name)), (depth, name)
        assert np.array_equal(less.rows, whole.rows)
    which = np.array([2, 0])
    some, again = of_queries(listed(scores, 2), which), listed(scores[which], 2)
    for name in ("before", "size", "query", "row"):
        assert np.array_equal(getattr(some.ties, name), getattr(again.ties, name)), name


def test_every_row_of_a_tie_is_drawn_alike():
    scores = np.array([[2, 1, 1, 1, 1, 0]] * 400)
    a = listed(scores, 3)
    counts = np.zeros(6)
    for drawn in drawn_orders(a, np.random.default_rng(0)):
        assert (drawn.rows[:, 0] == 0).all()
        counts += np.bincount(drawn.rows.ravel(), minlength=6)
    assert counts[5] == 0
    assert counts[1:5] / (400 * ORDERS) == pytest.approx(np.full(4, 0.5), abs=0.03)
    assert among(entries(a), 3).sum() == pytest.approx(3 * 400)


def test_spaces_of_one_point_agree_as_chance_says():
    n, k = 9, 4
    one = listed(np.zeros((2, n)), k)
    assert shared_in_any_order(one, one, [k])[:, 0] / k == pytest.approx(np.full(2, k / n), abs=1e-12)


def test_rows_left_out_leave_the_rest_of_their_tie():
    scores = np.array([[5, 4, 4, 4, 4, 1], [2, 2, 2, 2, 2, 2]])
    wide = listed(scores, 4)
    gone = (entries(wide).row == 2) | (entries(wide).row == 5)
    left = shortened(wide, gone, 2)
    again = listed(np.where(np.isin(np.arange(6), (2, 5)), -1, scores), 2)
    assert left.rows.tolist() == again.rows.tolist() == [[0, 1], [0, 1]]
    for name in ("before", "size", "query", "row"):
        assert np.array_equal(getattr(left.ties, name), getattr(again.ties, name)), name


def test_a_tolerance_is_of_the_last_similarity_and_does_not_chain():
    similarity = np.array([[3.0, 1.0 + 1.8e-9, 1.0 + 0.9e-9, 1.0], [4.0, 4.0 - 0.9e-9, 4.0 - 1.8e-9, 1.0]])
    assert groups(similarity, np.full(2, 1e-9)).tolist() == [[0, 1, 2, 2], [0, 0, 2, 3]]
