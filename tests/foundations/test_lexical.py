"""bm25: the places of given texts are those that the ranking gives them."""

from __future__ import annotations

import numpy as np
import pytest

import embdiff as ed
from embdiff.lexical import Bm25

pytest.importorskip("bm25s")
pytestmark = pytest.mark.floors


def test_places_agree_with_the_ranking():
    texts = list(ed.read_corpus("sample").items)
    index, order = Bm25(texts), np.arange(len(texts))[::-1].copy()
    rows, scores = index.rank(texts[:9], len(texts), order)
    asked = np.tile(np.arange(len(texts)), (9, 1))
    asked[:, 5] = -1
    (rows, scores), (ranks, values) = index.rank_and_place(texts[:9], len(texts), asked, order)
    for query in range(9):
        found = rows[query][rows[query] >= 0]
        place = {int(row): number for number, row in enumerate(found, start=1)}
        assert ranks[query].tolist() == [place.get(int(row), -1) for row in asked[query]]
        known = ranks[query] > 0
        np.testing.assert_array_equal(values[query][known], scores[query][ranks[query][known] - 1])
        assert np.isnan(values[query][~known]).all()
    assert (ranks[:, 5] == -1).all()


def test_equal_scores_stand_by_row():
    index = Bm25(["red one", "red two", "blue", "red three"])
    order = np.arange(4)[::-1].copy()
    assert index.rank(["red"], 4, order)[0].tolist() == [[0, 1, 3, -1]]
    assert index.rank_and_place(["red"], 4, np.array([[3, 2, 1, 0, -1]]), order)[1][0].tolist() == [[3, -1, 2, 1, -1]]


def test_nothing_in_common():
    index = Bm25(["?", "!"])
    _, (ranks, scores) = index.rank_and_place(["a", "word"], 2, np.array([[0, 1], [1, -1]]), np.array([1, 0]))
    assert (ranks == -1).all()
    assert np.isnan(scores).all()
