"""Scores of measures of places: their fields, and their chance levels against enumeration and simulation."""

import itertools
import json
import math

import numpy as np
import pytest
from neighbor_lists import listed, scored

from embdiff import exact
from embdiff._plain import reader
from embdiff.errors import ParameterError
from embdiff.measures import get_measure
from embdiff.measures.inputs import TwoLists
from embdiff.measures.rank import expected_rank_similarity, expected_tau, kendall_tau, rank_similarity
from embdiff.measures.rbo import expected_rbo, rbo
from embdiff.measures.score import scores
from embdiff.measures.spread import expected_median_rank
from embdiff.records import Score

SCORES = ("rbo", "rank_similarity", "kendall_tau")


def all_pairs(n, left, right, certain):
    """Every two lists in every order; the certain rows stand first in both."""
    fixed, width = list(range(certain)), max(left, right)
    one, two = (
        [
            fixed + list(rest) + [-1] * (width - size)
            for rest in itertools.permutations(range(certain, n), size - certain)
        ]
        for size in (left, right)
    )
    both = list(itertools.product(one, two))
    return listed([x for x, _ in both]), listed([y for _, y in both])


CASES = [(5, 2, 2, 0), (5, 3, 3, 0), (4, 4, 4, 0), (5, 3, 1, 0), (5, 3, 3, 1), (6, 3, 2, 1), (5, 3, 3, 2), (4, 2, 0, 0)]


@pytest.mark.parametrize(("n", "left", "right", "certain"), CASES)
def test_chance_against_all_pairs_of_lists(n, left, right, certain):
    a, b = all_pairs(n, left, right, certain)
    assert expected_rbo(left, right, certain, n, 0.8) == pytest.approx(rbo(a, b, 0.8).mean(), abs=1e-12)
    assert expected_rank_similarity(left, right, certain, n) == pytest.approx(rank_similarity(a, b).mean(), abs=1e-12)
    tau = kendall_tau(a, b)
    common = np.array([len({*x} & {*y} - {-1}) for x, y in zip(a.rows.tolist(), b.rows.tolist(), strict=True)])
    for m in range(2, min(left, right) + 1):
        if (common == m).any():
            assert expected_tau(m, certain) == pytest.approx(tau[common == m].mean(), abs=1e-12)


@pytest.mark.parametrize(
    ("n", "k", "certain"), [(7, 3, 0), (7, 4, 0), (6, 6, 0), (7, 3, 1), (7, 4, 2), (7, 1, 0), (5, 2, 2)]
)
def test_chance_of_the_median_rank_against_all_ranks(n, k, certain):
    fixed = tuple(range(1, certain + 1))
    medians = [np.median(fixed + rest) for rest in itertools.combinations(range(certain + 1, n + 1), k - certain)]
    assert expected_median_rank(k, certain, n) == pytest.approx(np.mean(medians), abs=1e-12)


def test_chance_of_nothing():
    assert math.isnan(expected_rbo(0, 0, 0, 9, 0.9))
    assert math.isnan(expected_rank_similarity(0, 0, 0, 9))
    assert math.isnan(expected_median_rank(0, 0, 9))
    assert math.isnan(expected_tau(1, 0))
    assert expected_rbo(0, 4, 0, 9, 0.9) == 0
    assert expected_rank_similarity(3, 3, 3, 3) == pytest.approx(1)
    assert expected_rbo(3, 3, 3, 3, 0.9) == pytest.approx(1)


def test_independent_random_spaces_reach_chance():
    rng = np.random.default_rng(0)
    spaces = (rng.standard_normal((1_000, dim)).astype(np.float32) for dim in (64, 96))
    a, b = (exact.search(space, space, 40, "cosine", leave_out=np.arange(1_000)) for space in spaces)
    for measure in SCORES:
        found = scored(measure, a, b, ("x", "y"), query_model=None, candidates=999, seed=0)
        assert found.low <= found.chance <= found.high, found
        assert found.interval == ("bca" if measure == "kendall_tau" else "bootstrap-t")  # it has few distinct values


def test_scores():
    a = listed([[0, 1], [2, 3], [-1, -1], [4, 5]])
    b = listed([[1, 0], [2, 0], [-1, -1], [4, 5]])
    found = scored("rbo(p=0.5)", a, b, ("m1", "m2"), query_model="m1", candidates=6, seed=0)
    assert (found.measure, found.models, found.query_model, found.n) == ("rbo(p=0.5)@2", ("m1", "m2"), "m1", 3)
    assert str(get_measure(found.measure)) == found.measure
    # .5; agreement 1, then 1/2: .5 + .25; 1.
    assert found.value == pytest.approx((0.5 + 0.75 + 1) / 3)
    assert found.interval == "wilson"
    assert found.reason == "1 of 4 queries have no neighbours in either list and are left out"
    assert len(found.per_query) == 4
    assert reader(Score).validate_python(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found
    similarity = scored("rank_similarity", a, b, ("m1", "m2"), query_model=None, candidates=6, seed=0)
    assert (similarity.measure, similarity.value) == ("rank_similarity@2", pytest.approx((4 / 9 + 1 + 1) / 3))
    tau = scored("kendall_tau", a, b, ("m1", "m2"), query_model=None, candidates=6, seed=0)
    assert (tau.measure, tau.value, tau.n, tau.chance) == ("kendall_tau@2", 0.0, 2, 0.0)
    assert tau.low < -0.5 < 0.5 < tau.high
    assert tau.reason == "2 of 4 queries have fewer than 2 common neighbours, or only tied ones, and are left out"


def test_chance_with_own_rows_in_both_lists():
    a = listed([[0, 1, 2], [3, 4, 5]])
    fixed = np.array([1, 0])
    for measure, expected in (
        ("rbo", [expected_rbo(3, 3, s, 8, 0.9) for s in fixed]),
        ("rank_similarity", [expected_rank_similarity(3, 3, s, 8) for s in fixed]),
        ("kendall_tau", [2 / 3, 0]),
    ):
        found = scored(measure, a, a, ("x", "y"), query_model=None, candidates=8, fixed=fixed, seed=0)
        assert found.chance == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("measure", SCORES)
def test_scores_without_queries_or_results(measure):
    nothing = listed(np.zeros((0, 3)))
    found = scored(measure, nothing, nothing, ("a", "b"), query_model=None, candidates=5, seed=0)
    assert (found.n, found.reason, found.interval) == (0, "there are no queries", "none")
    assert np.isnan([found.value, found.low, found.high, found.chance]).all()
    empty = listed([[-1, -1]])
    assert scored(measure, empty, empty, ("a", "b"), query_model=None, candidates=5, seed=0).to_dict()["value"] is None
    with pytest.raises(ParameterError, match="Got 1 candidates and a list of 2"):
        scored(measure, listed([[0, 1]]), listed([[0, 1]]), ("a", "b"), query_model=None, candidates=1, seed=0)


def test_a_curve_of_scores():
    rng = np.random.default_rng(3)
    a, b = (listed(rng.permuted(np.tile(np.arange(30), (40, 1)), axis=1)[:, :10]) for _ in range(2))
    fixed = np.full(40, 2)
    options = {"query_model": None, "candidates": 30, "seed": 4}
    curve = scores([f"rbo(p=0.8)@{depth}" for depth in (1, 5, 10)], TwoLists(a, b, ("x", "y"), None, 30), seed=4)
    assert [score.measure for score in curve] == ["rbo(p=0.8)@1", "rbo(p=0.8)@5", "rbo(p=0.8)@10"]
    assert curve[-1] == scored("rbo(p=0.8)", a, b, ("x", "y"), **options)
    shared = scores(["overlap@1", "overlap@10"], TwoLists(a, b, ("x", "y"), None, 30, fixed=fixed), seed=4)
    assert [score.chance for score in shared] == pytest.approx([1.0, (2 + 8 * 8 / 28) / 10])
    with pytest.raises(ParameterError, match="Got 11"):
        scored("rbo@11", a, b, ("x", "y"), **options)
