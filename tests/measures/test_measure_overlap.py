"""Overlap and Jaccard by hand, against Python sets, and their chance levels against enumeration and simulation."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from neighbor_lists import listed, lists, scored
from scipy import stats

from embdiff import exact
from embdiff._plain import reader
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures import rank as module
from embdiff.measures.overlap import expected_jaccard, expected_shared, jaccard, overlap
from embdiff.records import Score


def test_by_hand():
    a = listed([[0, 1, 2], [3, 4, 5], [6, 7, 8], [1, 2, 3]])
    b = listed([[2, 1, 0], [5, 9, 8], [0, 1, 2], [3, 0, 2]])
    np.testing.assert_array_equal(overlap(a, b), [1, 1 / 3, 0, 2 / 3])
    np.testing.assert_array_equal(jaccard(a, b), [1, 1 / 5, 0, 2 / 4])


def test_short_lists_by_hand():
    """Overlap divides by k whatever came back, Jaccard by what did; pads never match."""
    a = listed([[4, -1, -1], [-1, -1, -1], [-1, -1, -1], [1, 2, -1]])
    b = listed([[4, -1, -1], [7, 8, 9], [-1, -1, -1], [2, 1, 5]])
    np.testing.assert_array_equal(overlap(a, b), [1 / 3, 0, math.nan, 2 / 3])
    np.testing.assert_array_equal(jaccard(a, b), [1, 0, math.nan, 2 / 3])


@settings(max_examples=150, deadline=None)
@given(lists())
def test_against_sets(drawn):
    _, (a, b) = drawn
    for left, right, o, j in zip(a.rows, b.rows, overlap(a, b), jaccard(a, b), strict=True):
        one, two = set(left[left >= 0].tolist()), set(right[right >= 0].tolist())
        if one | two:
            assert o == len(one & two) / a.k
            assert j == len(one & two) / len(one | two)
        else:
            assert math.isnan(o)
            assert math.isnan(j)


@settings(max_examples=40, deadline=None)
@given(lists(pads=False))
def test_jaccard_follows_from_overlap_for_full_lists(drawn):
    _, (a, b) = drawn
    o = overlap(a, b)
    np.testing.assert_allclose(jaccard(a, b), o / (2 - o), rtol=1e-14)


def test_large_row_numbers_and_many_blocks(monkeypatch):
    rows = np.array([[2**40, 2**40 + 2**32, 5, -1]] * 7)
    np.testing.assert_array_equal(overlap(listed(rows), listed(rows[:, ::-1])), [0.75] * 7)
    rng = np.random.default_rng(0)
    a, b = (listed(rng.permuted(np.tile(np.arange(20), (50, 1)), axis=1)[:, :8]) for _ in range(2))
    whole = overlap(a, b)
    monkeypatch.setattr(module, "_CHUNK", 24)
    np.testing.assert_array_equal(overlap(a, b), whole)


def test_lists_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"Got \(1, 2\) and \(1, 3\)\. Search the same queries with the same k\."):
        overlap(listed([[0, 1]]), listed([[0, 1, 2]]))
    with pytest.raises(ShapeError, match="k at least 1"):
        jaccard(listed(np.zeros((2, 0))), listed(np.zeros((2, 0))))


@pytest.mark.parametrize(("n", "k"), [(5, 2), (6, 3), (6, 5), (4, 4), (7, 1)])
def test_chance_against_all_pairs_of_lists(n, k):
    both = [(set(x), set(y)) for x, y in itertools.product(itertools.combinations(range(n), k), repeat=2)]
    shared = np.mean([len(x & y) for x, y in both])
    ratio = np.mean([len(x & y) / len(x | y) for x, y in both])
    assert expected_shared(k, k, 0, n) == pytest.approx(shared, abs=1e-12)
    assert expected_jaccard(k, k, 0, n) == pytest.approx(ratio, abs=1e-12)


def test_chance_with_fixed_rows_against_all_pairs_of_lists():
    """Rows 0 and 1 are in both; lists of 4 and 3 from 7 candidates."""
    left = [{0, 1, *rest} for rest in itertools.combinations(range(2, 7), 2)]
    right = [{0, 1, *rest} for rest in itertools.combinations(range(2, 7), 1)]
    both = list(itertools.product(left, right))
    assert expected_shared(4, 3, 2, 7) == pytest.approx(np.mean([len(x & y) for x, y in both]), abs=1e-12)
    ratio = np.mean([len(x & y) / len(x | y) for x, y in both])
    assert expected_jaccard(4, 3, 2, 7) == pytest.approx(ratio, abs=1e-12)


@pytest.mark.parametrize(("n", "k"), [(1_000, 10), (99_999, 100), (1_000_000, 50)])
def test_chance_against_scipy(n, k):
    law = stats.hypergeom(n, k, k)
    i = np.arange(k + 1)
    assert expected_shared(k, k, 0, n) == pytest.approx(law.mean(), rel=1e-9)
    assert expected_jaccard(k, k, 0, n) == pytest.approx((law.pmf(i) * i / (2 * k - i)).sum(), rel=1e-6)


def test_chance_at_the_edges():
    assert expected_shared(3, 3, 3, 3) == 3
    assert expected_jaccard(3, 3, 3, 3) == 1
    assert expected_jaccard(0, 4, 0, 9) == 0
    assert math.isnan(expected_jaccard(0, 0, 0, 9))


def test_independent_random_spaces_reach_chance():
    """peers.md 4.6: two independent spaces of 1,000 rows share about k / (n - 1) of 10 neighbours."""
    rng = np.random.default_rng(0)
    spaces = (rng.standard_normal((1_000, dim)).astype(np.float32) for dim in (64, 96))
    a, b = (exact.search(space, space, 10, "cosine", leave_out=np.arange(1_000)) for space in spaces)
    shared = scored("overlap", a, b, ("x", "y"), query_model=None, candidates=999, seed=0)
    ratio = scored("jaccard", a, b, ("x", "y"), query_model=None, candidates=999, seed=0)
    assert shared.chance == pytest.approx(10 / 999, rel=1e-12)
    assert ratio.chance == pytest.approx(10 / (2 * 999 - 10), rel=0.06)
    for score in (shared, ratio):
        assert score.low <= score.chance <= score.high
        assert score.interval == "bca"


def test_score():
    a, b = listed([[0, 1], [2, 3], [-1, -1]]), listed([[1, 0], [2, 0], [-1, -1]])
    score = scored("overlap", a, b, ("m1", "m2"), query_model="m1", candidates=4, seed=0)
    assert (score.measure, score.models, score.query_model, score.n) == ("overlap@2", ("m1", "m2"), "m1", 2)
    assert (score.value, score.chance, score.interval) == (0.75, 0.5, "wilson")
    assert score.per_query[:2] == (1.0, 0.5)
    assert math.isnan(score.per_query[2])
    assert score.reason == "1 of 3 queries have no neighbours in either list and are left out"
    assert reader(Score).validate_python(json.loads(json.dumps(score.to_dict(), allow_nan=False))) == score
    assert scored("jaccard", a, b, ("m1", "m2"), query_model=None, candidates=4, seed=0).value == pytest.approx(2 / 3)


def test_score_with_own_rows_in_both_lists():
    """k = 2, 5 candidates, one certain in the first query: (1 + 1/4)/2 and 2/5, on average .5125."""
    a = listed([[0, 1], [2, 3]])
    score = scored("overlap", a, a, ("m1", "m2"), query_model=None, candidates=5, fixed=np.array([1, 0]), seed=0)
    assert score.chance == pytest.approx((0.625 + 0.4) / 2)


def test_score_without_queries_or_results():
    none = scored(
        "overlap",
        listed(np.zeros((0, 3))),
        listed(np.zeros((0, 3))),
        ("a", "b"),
        query_model=None,
        candidates=5,
        seed=0,
    )
    assert (none.n, none.reason, none.interval) == (0, "there are no queries", "none")
    assert np.isnan([none.value, none.low, none.high, none.chance]).all()
    empty = listed([[-1, -1]])
    score = scored("jaccard", empty, empty, ("a", "b"), query_model=None, candidates=5, seed=0)
    assert score.to_dict()["value"] is None
    assert score.reason == "1 of 1 queries have no neighbours in either list and are left out"


def test_numbers_that_do_not_fit():
    a = listed([[0, 1, 2]])
    with pytest.raises(ParameterError, match="Got 2 candidates and a list of 3"):
        scored("overlap", a, a, ("a", "b"), query_model=None, candidates=2, seed=0)
    with pytest.raises(ShapeError, match="fixed must have one number for each of the 1 queries"):
        scored("overlap", a, a, ("a", "b"), query_model=None, candidates=5, fixed=np.array([0, 0]), seed=0)
    with pytest.raises(ParameterError, match="Got 4 for query 0, whose lists hold 3 and 3 rows"):
        scored("overlap", a, a, ("a", "b"), query_model=None, candidates=5, fixed=np.array([4]), seed=0)
