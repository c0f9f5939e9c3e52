"""Ties stand in every order: what is expected, against going through all orders."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from embdiff.measures.ties import ORDERS, drawn_orders, entries, expected_shared, jaccard_of_tied
from embdiff.records import Neighbors, Ties


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
    shared, jaccard = expected_shared(a, b), jaccard_of_tied(a, b)
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
        whole, cut = listed(scores, depth), listed(scores, 5).first(depth)
        for name in ("before", "size", "query", "row"):
            assert np.array_equal(getattr(cut.ties, name), getattr(whole.ties, name)), (depth, name)
    which = np.array([2, 0])
    some, again = listed(scores, 2).of(which), listed(scores[which], 2)
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
    assert entries(a).among(3).sum() == pytest.approx(3 * 400)


def test_spaces_of_one_point_agree_as_chance_says():
    n, k = 9, 4
    one = listed(np.zeros((2, n)), k)
    assert expected_shared(one, one)[:, -1] / k == pytest.approx(np.full(2, k / n), abs=1e-12)
