"""bm25: the places of given texts are those that the ranking gives them, and equal scores are told as ties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import embdiff as ed
from embdiff.lexical import Bm25
from embdiff.measures.overlap import jaccard, overlap
from embdiff.measures.ties import shared_in_any_order, times_listed
from embdiff.records import Neighbors
from embdiff.ties import entries

pytest.importorskip("bm25s")
pytestmark = pytest.mark.floors

# Each scores as the next for "red": as many words, one of them red. Words of one letter are none.
EQUAL = ["red a", "red b", "blue", "red c", "red d", "green sea red sky"]


def test_places_agree_with_the_ranking():
    texts = list(ed.read_corpus("sample").items)
    index = Bm25(texts)
    asked = np.tile(np.arange(len(texts)), (9, 1))
    asked[:, 5] = -1
    found, (ranks, values) = index.rank_and_place(texts[:9], len(texts), asked)
    rows, scores = found.rows, found.similarity
    np.testing.assert_array_equal(rows, index.rank(texts[:9], len(texts)).rows)
    for query in range(9):
        listed = rows[query][rows[query] >= 0]
        place = {int(row): number for number, row in enumerate(listed, start=1)}
        assert ranks[query].tolist() == [place.get(int(row), -1) for row in asked[query]]
        known = ranks[query] > 0
        np.testing.assert_array_equal(values[query][known], scores[query][ranks[query][known] - 1])
        assert np.isnan(values[query][~known]).all()
    assert (ranks[:, 5] == -1).all()


def test_equal_scores_stand_by_row_and_are_told():
    index = Bm25(["red one", "red two", "blue", "red three"])
    found, (ranks, _) = index.rank_and_place(["red"], 4, np.array([[3, 2, 1, 0, -1]]))
    assert found.rows.tolist() == [[0, 1, 3, -1]]
    assert ranks.tolist() == [[3, -1, 2, 1, -1]]
    assert found.ties.before.tolist() == [[0, 0, 0, 3]]
    assert found.ties.size.tolist() == [[3, 3, 3, 1]]
    cut = index.rank(["red", "blue", "none of these"], 2)
    assert (cut.ties.query.tolist(), cut.ties.row.tolist()) == ([0], [3])
    assert cut.rows.tolist() == [[0, 1], [2, -1], [-1, -1]]


def test_scores_that_differ_are_no_ties():
    found = Bm25(["red", "red sea", "red sea sky"]).rank(["red"], 3)
    assert found.rows.tolist() == [[0, 1, 2]]
    assert found.ties is None


def test_sums_in_another_order_of_words_are_equal():
    counts = list(itertools.permutations([1, 2, 3, 5, 7]))
    texts = [
        " ".join(" ".join([word] * n) for word, n in zip(("aa", "bb", "cc", "dd", "ee"), c, strict=True))
        for c in counts
    ]
    found = Bm25(texts).rank(["aa bb cc dd ee"], 50)
    assert (found.ties.size == len(texts)).all()


def test_what_is_shared_is_the_mean_over_all_orders():
    found = Bm25(EQUAL).rank(["red", "red sky"], 3)
    other = Neighbors(np.array([[4, 0, 2], [5, 3, 1]]), np.array([[3, 2, 1], [3, 2, 1]], np.float32), "ip")
    tied = [0, 1, 3, 4]
    lists = [[(*order, 5)[:3] for order in itertools.permutations(tied)]]  # the longest text scores least for "red"
    lists.append([(5, *order[:2]) for order in itertools.permutations(tied)])  # and most for "red sky"
    for query, orders in enumerate(lists):
        shared = np.array([len(set(each) & set(other.rows[query].tolist())) for each in orders])
        assert shared_in_any_order(found, other, [3])[query, 0] == pytest.approx(shared.mean(), abs=1e-12)
        assert overlap(found, other)[query] == pytest.approx(shared.mean() / 3, abs=1e-12)
        assert jaccard(found, other)[query] == pytest.approx((shared / (6 - shared)).mean(), abs=1e-12)
    assert times_listed(found, 6).tolist() == pytest.approx([1.25, 1.25, 0.0, 1.25, 1.25, 1.0])


def test_texts_of_equal_words_are_listed_as_chance_says():
    n, k = 12, 5
    found = Bm25([f"red {letter}" for letter in "abcdefghijkl"]).rank(["red"], k)
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows = rng.permutation(n)[None, :k]
        other = Neighbors(rows, np.arange(k, 0, -1, dtype=np.float32)[None], "ip")
        assert overlap(found, other)[0] == pytest.approx(k / n, abs=1e-12)
    assert len(entries(found).row) == n


def test_nothing_in_common():
    index = Bm25(["?", "!"])
    _, (ranks, scores) = index.rank_and_place(["a", "word"], 2, np.array([[0, 1], [1, -1]]))
    assert (ranks == -1).all()
    assert np.isnan(scores).all()
