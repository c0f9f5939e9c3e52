"""Own rows, expected rows and lost rows, by hand and against enumeration."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neighbor_lists import listed, lists

from embdiff import exact
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures import wilson
from embdiff.measures.inputs import OneSearch
from embdiff.measures.retrieval import (
    expected_hit,
    expected_hits,
    first_place,
    index_recall,
    lost_by_index,
    self_retrieval,
)
from embdiff.measures.score import score as score_of
from embdiff.records import Neighbors


def rows(*numbers):
    return np.array(numbers, dtype=np.int64)


def searched(measure, returned, exact=None, *, similarity=None, own=(), documents=0, candidates=0, **more):
    """The score of a measure of one search."""
    exact = returned if exact is None else exact
    similarity = returned.similarity if similarity is None else similarity
    query_model = more.pop("query_model", None)
    return score_of(
        measure,
        OneSearch(returned, exact, returned, similarity, own, ("m",), query_model, candidates, documents, **more),
    )


def test_self_retrieval_by_hand():
    """The second finds a row with the same text, the third itself in second place, the fourth is no row."""
    found = listed([[0, 5], [4, 1], [7, 2], [3, 6], [-1, -1]])
    own = [rows(0), rows(1, 4), rows(2), rows(), rows(8)]
    np.testing.assert_array_equal(self_retrieval(found, own), [1, 1, 0, math.nan, 0])
    score = searched("self_retrieval@1", found, own=own, documents=10)
    assert (score.measure, score.models, score.n, score.value, score.interval) == (
        "self_retrieval@1",
        ("m",),
        4,
        0.5,
        "wilson",
    )
    assert (score.low, score.high) == wilson(0.5, 4)
    assert score.chance == pytest.approx((1 + 2 + 1 + 1) / 4 / 10)
    assert score.reason == "1 of 5 queries whose text is no row of the corpus are left out"


def test_hits_by_hand():
    found = listed([[3, 1, 2], [3, 1, 2], [3, -1, -1], [3, 1, 2]])
    expected = [rows(2, 1), rows(9), rows(), rows(3)]
    np.testing.assert_array_equal(first_place(found, expected), [2, math.inf, math.nan, 1])
    np.testing.assert_array_equal(expected_hit(found, expected), [1, 0, math.nan, 1])


@settings(max_examples=60, deadline=None)
@given(lists(count=1), st.randoms(use_true_random=False))
def test_hits_against_a_loop(drawn, random):
    n, (found,) = drawn
    expected = [rows(*random.sample(range(n), random.randint(0, n))) for _ in found.rows]
    first, share_found = first_place(found, expected), expected_hit(found, expected)
    for line, wanted, rank, share in zip(found.rows.tolist(), expected, first, share_found, strict=True):
        places = [place for place, row in enumerate(line, 1) if row >= 0 and row in wanted.tolist()]
        assert not len(wanted) or rank == (places[0] if places else math.inf)
        assert len(wanted) or math.isnan(rank)
        assert share == bool(places) if len(wanted) else math.isnan(share)


def test_expected_hit_score():
    found = listed([[3, 1], [3, 1], [0, 2]])
    score = searched(
        "expected_hit", found, expected=[rows(1, 1, 5), rows(4), rows()], query_model="other", candidates=6
    )
    assert (score.measure, score.value, score.n, score.query_model) == ("expected_hit@2", 0.5, 2, "other")
    # Two expected among 6, two drawn: 1 - C(4,2)/C(6,2) = 9/15; one expected: 2/6.
    assert score.chance == pytest.approx((9 / 15 + 1 / 3) / 2)
    assert score.reason == "1 of 3 queries without any expected result are left out"
    none = searched("expected_hit", found, expected=[rows()] * 3, candidates=6)
    assert (none.n, none.interval, none.to_dict()["chance"]) == (0, "none", None)


@pytest.mark.parametrize(("n", "k", "e"), [(6, 2, 1), (6, 2, 3), (7, 3, 2), (5, 3, 3), (5, 5, 1), (6, 1, 6)])
def test_chance_of_a_hit_against_all_lists(n, k, e):
    draws = list(itertools.combinations(range(n), k))
    assert expected_hits(k, e, n) == pytest.approx(np.mean([min(draw) < e for draw in draws]), abs=1e-12)


def test_chance_of_a_hit_in_a_large_corpus():
    n, k, e = 10**7, 100, 3
    assert expected_hits(k, e, n) == pytest.approx(1 - math.comb(n - e, k) / math.comb(n, k), rel=1e-6)


def test_index_recall_by_hand():
    """Exact 1st .9 and 2nd .5; the third list has a row tied with the second, the fourth is short."""
    answer = Neighbors(rows([0, 1]).repeat(4, axis=0), np.array([[0.9, 0.5]] * 4, dtype=np.float32), "cosine")
    returned = Neighbors(rows([1, 0], [0, 7], [0, 9], [0, -1]), np.zeros((4, 2), dtype=np.float32), "cosine", "hnsw")
    similarity = np.array([[0.5, 0.9], [0.9, 0.4], [0.9, 0.5], [0.9, math.nan]], dtype=np.float32)
    np.testing.assert_array_equal(index_recall(returned, answer, similarity), [1, 0.5, 1, 0.5])
    score = searched("index_recall", returned, answer, similarity=similarity, candidates=8)
    assert (score.measure, score.value, score.chance, score.n) == ("index_recall@2", 0.75, 0.25, 4)


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_index_recall_forgives_ties_and_nothing_else(metric):
    rng = np.random.default_rng(3)
    vectors = np.repeat(rng.standard_normal((30, 8)), 3, axis=0).astype(np.float32)
    answer = exact.search(vectors, vectors, 4, metric)
    other_copy = answer.rows // 3 * 3 + (answer.rows + 1) % 3
    found = Neighbors(other_copy, answer.similarity, metric, "ivf_flat(nlist=4,nprobe=2)")
    similarity = exact.similarity(vectors, vectors, other_copy, metric)
    assert (index_recall(found, answer, similarity) == 1).all()
    farther = exact.search(vectors, vectors, 9, metric).rows[:, [0, 1, 2, 8]]
    found = Neighbors(farther, answer.similarity, metric, "ivf_flat(nlist=4,nprobe=2)")
    similarity = exact.similarity(vectors, vectors, farther, metric)
    assert (index_recall(found, answer, similarity) == 0.75).all()


def test_lists_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"Got 1 arrays and lists of shape \(2, 1\)"):
        first_place(listed([[0], [1]]), [rows(0)])
    a, b = listed([[0, 1]]), listed([[0]])
    with pytest.raises(ShapeError, match=r"Got \(1, 2\), \(1, 1\) and \(1, 2\)"):
        index_recall(a, b, a.similarity)
    l2 = Neighbors(a.rows, a.similarity, "l2")
    with pytest.raises(ParameterError, match="Got cosine and l2"):
        index_recall(a, l2, a.similarity)


def test_no_queries():
    nothing = listed(np.zeros((0, 2)))
    score = searched("index_recall", nothing, candidates=5)
    assert (score.n, score.reason) == (0, "there are no queries")
    assert first_place(nothing, []).shape == (0,)


def test_what_an_index_lost_by_hand():
    """The first query has all; the second another row as near as the last; the third lost two, the fourth found none."""
    exact_rows = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]], dtype=np.int64)
    near = np.array([[0.9, 0.8, 0.7]] * 4, dtype=np.float32)
    returned = np.array([[0, 1, 2], [3, 4, 12], [8, 12, 13], [-1, -1, -1]], dtype=np.int64)
    given = near.copy()
    given[2] = [0.7, 0.6, 0.5]
    given[3] = math.nan
    lost = lost_by_index(Neighbors(returned, given, "cosine", "hnsw"), Neighbors(exact_rows, near, "cosine"))
    assert lost.tolist() == [[-1, -1, -1], [-1, -1, -1], [6, 7, -1], [9, 10, 11]]
    whole = Neighbors(exact_rows, near, "cosine")
    assert lost_by_index(whole, whole).shape == (4, 0)
