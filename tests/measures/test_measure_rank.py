"""Measures of places by hand, against loops and scipy, against published RBO values; what each declares, on lists."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neighbor_lists import listed, lists
from scipy import stats

from embdiff import exact
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures import list_measures
from embdiff.measures import rank as module
from embdiff.measures.inputs import truncated
from embdiff.measures.overlap import overlap
from embdiff.measures.rank import blocks, kendall_tau, lengths, rank_similarity, shared_at_depth
from embdiff.measures.rbo import rbo, rbo_with_tail
from embdiff.records import Neighbors

ORDERED = [measure for measure in list_measures() if measure.needs == "two ordered neighbors"]
ordered_lists = pytest.mark.parametrize("measure", ORDERED, ids=lambda measure: measure.name)


def spelled(one, two):
    """Two lists of letters as one query each, padded to one length."""
    k = max(len(one), len(two))
    return [listed([[*(ord(letter) - 97 for letter in word), *[-1] * (k - len(word))]]) for word in (one, two)]


def test_the_registry_has_them():
    assert [measure.name for measure in ORDERED] == ["kendall_tau", "rank_similarity", "rbo"]


def overlap_curve(a: Neighbors, b: Neighbors) -> np.ndarray:
    """Return, per query, the overlap at every depth: ``|A_1:d n B_1:d| / d``, (q, k)."""
    out = np.empty(a.rows.shape)
    for part, left, right in blocks(a, b):
        out[part] = shared_at_depth(left.rows, right.rows)
    out /= np.arange(1, a.k + 1)
    out[lengths(a) + lengths(b) == 0] = np.nan
    return out


def test_overlap_curve_by_hand():
    a, b = listed([[0, 1, 2], [3, 4, -1], [-1, -1, -1]]), listed([[1, 0, 5], [9, 3, 4], [-1, -1, -1]])
    np.testing.assert_array_equal(overlap_curve(a, b), [[0, 1, 2 / 3], [0, 1 / 2, 2 / 3], [math.nan] * 3])


@settings(max_examples=100, deadline=None)
@given(lists())
def test_overlap_curve_is_the_overlap_of_the_first_d(drawn):
    _, (a, b) = drawn
    curve = overlap_curve(a, b)
    for depth in range(1, a.k + 1):
        expected = overlap(truncated(a, depth), truncated(b, depth))
        # A list that is empty from the start is empty at every depth, and the other way round.
        np.testing.assert_array_equal(curve[:, depth - 1], expected)


def test_rank_similarity_by_hand():
    """Common rows at (1, 2), (2, 1), (3, 3): 1/3 + 1/3 + 1/3 over 1 + 1/2 + 1/3; then one at (1, 1), one at (1, 3)."""
    a, b = listed([[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1, 2]]), listed([[1, 0, 2], [0, 5, 6], [5, 6, 0], [7, 8, 9]])
    expected = [1 / (11 / 6), 1.0, 2 / (3 * 4), 0.0]
    np.testing.assert_allclose(rank_similarity(a, b), expected, rtol=1e-14)


def rank_similarity_by_loop(left, right):
    places = {row: place for place, row in enumerate(right, 1) if row >= 0}
    common = [(place, places[row]) for place, row in enumerate(left, 1) if row in places]
    total = sum(2 / ((1 + abs(i - j)) * (i + j)) for i, j in common)
    return total / sum(1 / m for m in range(1, len(common) + 1)) if common else 0.0


def rbo_by_loop(left, right, p):
    """Equations 11, 30 and 32 of Webber et al., term by term."""
    left, right = sorted(([row for row in line if row >= 0] for line in (left, right)), key=len)
    s, length = len(left), len(right)
    x = [len(set(left[:d]) & set(right[:d])) for d in range(length + 1)]
    ratio, full = (1 - p) / p, s + length - x[-1]
    low = ratio * (sum((x[d] - x[-1]) * p**d / d for d in range(1, length + 1)) - x[-1] * math.log(1 - p))
    beyond = s * sum(p**d / d for d in range(s + 1, full + 1)) + length * sum(
        p**d / d for d in range(length + 1, full + 1)
    )
    tail = x[-1] * (math.log(1 / (1 - p)) - sum(p**d / d for d in range(1, full + 1)))
    residual = p**s + p**length - p**full - ratio * (beyond + tail)
    if s == 0:
        return 0.0, low, low + residual
    carried = sum(x[s] * (d - s) / (s * d) * p**d for d in range(s + 1, length + 1))
    seen = sum(x[d] / d * p**d for d in range(1, length + 1))
    return ratio * (seen + carried) + ((x[-1] - x[s]) / length + x[s] / s) * p**length, low, low + residual


@settings(max_examples=150, deadline=None)
@given(lists(), st.floats(0.05, 0.98))
def test_against_loops(drawn, p):
    _, (a, b) = drawn
    found = rbo_with_tail(a, b, p)
    np.testing.assert_array_equal(found.value, rbo(a, b, p))
    for i, (left, right, similarity) in enumerate(
        zip(a.rows.tolist(), b.rows.tolist(), rank_similarity(a, b), strict=True)
    ):
        if max(*left, *right) < 0:
            assert np.isnan([similarity, found.value[i], found.low[i], found.high[i]]).all()
            continue
        assert similarity == pytest.approx(rank_similarity_by_loop(left, right), rel=1e-12)
        assert (found.value[i], found.low[i], found.high[i]) == pytest.approx(rbo_by_loop(left, right, p), abs=1e-9)
        assert 0 <= found.low[i] <= found.value[i] <= found.high[i] <= 1


def test_rbo_by_hand():
    """ab against ba, p = 1/2: agreement 0, then 1 for ever: 1 - (1 - p) = 1/2. Nothing more shared: 1 - ..."""
    found = rbo_with_tail(*spelled("ab", "ba"), 0.5)
    assert found.value == pytest.approx([0.5])
    # Equation 11: (0 - 2) / 2 + 0 + 2 ln 2; all shared from depth 2 on, so that the most is the value.
    assert found.low == pytest.approx([2 * math.log(2) - 1])
    assert found.high == pytest.approx([0.5])
    one_empty = rbo_with_tail(*spelled("", "abc"), 0.9)
    assert (one_empty.value[0], one_empty.low[0], one_empty.high[0]) == pytest.approx((0, 0, 1))


def test_rbo_against_published_values(shared_data):
    expected = json.loads((shared_data / "similarity-reference" / "rbo_expected.json").read_text())
    for case in expected["rbo_min"]:
        assert rbo_with_tail(*spelled(case["a"], case["b"]), case["p"]).low == pytest.approx(case["expected"], abs=5e-4)
    for case in expected["rbo_res"]:
        found = rbo_with_tail(*spelled(case["a"], case["b"]), case["p"])
        if len(case["a"]) != len(case["b"]):
            # Seven letters that are the first of twenty-six can go on to 1, from .767: 1 - .767 is left. The .239 of
            # that source divides by the mean of the lengths, which puts the most above 1.
            assert found.high == pytest.approx(1.0)
            continue
        assert found.high - found.low == pytest.approx(case["expected"], abs=5e-4)
    for case in expected["rbo_ext"]:
        assert rbo(*spelled(case["a"], case["b"]), case["p"]) == pytest.approx(case["expected"], abs=5e-4)
    for case in expected["average_overlap"]:
        curve = overlap_curve(*spelled(case["a"], case["b"]))[0]
        assert curve[: case["depth"]].mean() == pytest.approx(case["expected"], abs=5e-4)
    for case in expected["agreement_at_depth"]:
        curve = overlap_curve(*spelled(case["a"], case["b"]))[0]
        assert curve[case["depth"] - 1] == pytest.approx(case["expected"], abs=5e-4)


def with_ties(neighbors, levels):
    """The same lists with similarities rounded so that neighbours are tied."""
    steps = -np.floor(np.arange(neighbors.k) * levels / neighbors.k)
    similarity = np.where(neighbors.rows < 0, np.nan, steps).astype(np.float32)
    return Neighbors(neighbors.rows, similarity, neighbors.metric)


@settings(max_examples=150, deadline=None)
@given(lists(), st.integers(1, 12), st.integers(1, 12))
def test_kendall_tau_against_scipy(drawn, levels, other_levels):
    _, (a, b) = drawn
    for one, two in ((a, b), (with_ties(a, levels), with_ties(b, other_levels))):
        for i, tau in enumerate(kendall_tau(one, two)):
            common = [row for row in one.rows[i] if row >= 0 and row in two.rows[i]]
            x, y = ([float(n.similarity[i, list(n.rows[i]).index(row)]) for row in common] for n in (one, two))
            if len(common) < 2 or len(set(x)) == 1 or len(set(y)) == 1:
                assert math.isnan(tau)
            else:
                assert tau == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)


@ordered_lists
@settings(max_examples=60, deadline=None)
@given(lists(), st.randoms(use_true_random=False))
def test_range_symmetry_and_order_of_the_queries(measure, drawn, random):
    _, (a, b) = drawn
    values = measure.function(a, b)
    assert values.shape == (len(a.rows),)
    assert values.dtype == np.float64
    known = values[~np.isnan(values)]
    assert ((known >= measure.range[0]) & (known <= measure.range[1])).all()
    empty = (a.rows < 0).all(axis=1) & (b.rows < 0).all(axis=1)
    assert np.isnan(values[empty]).all()
    assert measure.name == "kendall_tau" or (np.isnan(values) == empty).all()
    assert measure.symmetric
    np.testing.assert_allclose(values, measure.function(b, a), rtol=1e-13, atol=1e-15)
    order = list(range(len(a.rows)))
    random.shuffle(order)
    shuffled = measure.function(listed(a.rows[order]), listed(b.rows[order]))
    np.testing.assert_allclose(shuffled, values[order], rtol=1e-13, atol=1e-15)


@ordered_lists
@settings(max_examples=30, deadline=None)
@given(lists(count=1, pads=False))
def test_a_list_and_itself_reach_the_top(measure, drawn):
    _, (a,) = drawn
    values = measure.function(a, a)
    if measure.name == "kendall_tau" and a.k == 1:
        assert np.isnan(values).all()
    else:
        np.testing.assert_allclose(values, measure.range[1], atol=1e-12)


@ordered_lists
@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_rotation_and_scaling_of_the_space_change_nothing(measure, metric):
    rng = np.random.default_rng(1)
    space, other = (rng.standard_normal((80, 6)) for _ in range(2))
    turned = space @ np.linalg.qr(rng.standard_normal((6, 6)))[0] * 3.5 + (10 if metric == "l2" else 0)
    a, b, c = (
        exact.search(v, v, 5, metric, leave_out=np.arange(80))
        for v in (x.astype(np.float32) for x in (space, turned, other))
    )
    np.testing.assert_allclose(measure.function(a, b), 1.0, atol=1e-12)
    np.testing.assert_array_equal(measure.function(a, c), measure.function(b, c))


def test_many_blocks_and_large_row_numbers(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = (rng.permuted(np.tile(np.arange(20), (50, 1)), axis=1)[:, :8] for _ in range(2))
    functions = (overlap_curve, rbo, rank_similarity, kendall_tau)
    whole = [function(listed(a), listed(b)) for function in functions]
    far = [function(listed(a * 2**40 + 2**33), listed(b * 2**40 + 2**33)) for function in functions]
    monkeypatch.setattr(module, "_CHUNK", 24)
    cut = [function(listed(a), listed(b)) for function in functions]
    for one, two, three in zip(whole, far, cut, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_allclose(one, three, rtol=1e-13)


@pytest.mark.parametrize("function", [overlap_curve, rbo, rank_similarity, kendall_tau])
def test_lists_that_do_not_fit(function):
    with pytest.raises(ShapeError, match=r"Got \(1, 2\) and \(1, 3\)\. Search the same queries with the same k\."):
        function(listed([[0, 1]]), listed([[0, 1, 2]]))
    with pytest.raises(ShapeError, match="k at least 1"):
        function(listed(np.zeros((2, 0))), listed(np.zeros((2, 0))))
    nothing = listed(np.zeros((0, 3)))
    assert len(function(nothing, nothing)) == 0


def test_numbers_out_of_range():
    a = listed([[0, 1]])
    for p in (0.0, 1.0, math.nan):
        with pytest.raises(ParameterError, match=r"p of rbo must be above 0 and below 1\. Got .*rbo\(p=0\.9\)@10"):
            rbo(a, a, p)
    for depth in (0, 3):
        with pytest.raises(ParameterError, match=f"between 1 and 2, the length of the lists. Got {depth}"):
            truncated(a, depth)


@pytest.mark.parametrize("p", [0.5, 0.8])
def test_the_rest_of_the_lists_stays_within_the_bounds(p):
    """What the first 6 of 60 places leave open holds what all 60 say (the tail beyond weighs p^60)."""
    rng = np.random.default_rng(5)
    a, b = (listed(np.argsort(np.arange(60) + rng.gamma(1, 12, (300, 60)), axis=1)) for _ in range(2))
    first, whole = rbo_with_tail(truncated(a, 6), truncated(b, 6), p), rbo_with_tail(a, b, p)
    assert (first.low - 1e-9 <= whole.low).all()
    assert (whole.high <= first.high + 1e-9).all()
    assert (whole.high - whole.low < 1e-4).all()
    assert (first.high - first.low).mean() > 0.005


def test_all_other_rows_as_neighbours():
    """k = n - 1: at the last depth everything is shared, at the first it is up to the models."""
    rng = np.random.default_rng(0)
    spaces = [rng.standard_normal((12, dim)).astype(np.float32) for dim in (4, 7)]
    a, b = (exact.search(space, space, 11, "cosine", leave_out=np.arange(12)) for space in spaces)
    curve = overlap_curve(a, b)
    assert (curve[:, -1] == 1).all()
    assert curve[:, 0].mean() < 1
    assert (rbo(a, b) > rbo_with_tail(a, b).low).all()
    assert not np.isnan(kendall_tau(a, b)).any()


def test_duplicated_rows_are_ties():
    """Every row twice: the two copies stand side by side in both lists, in no order of the models."""
    rng = np.random.default_rng(6)
    spaces = [np.repeat(rng.standard_normal((10, dim)), 2, axis=0).astype(np.float32) for dim in (4, 7)]
    a, b = (exact.search(space, space, 19, "cosine", leave_out=np.arange(20)) for space in spaces)
    for i, tau in enumerate(kendall_tau(a, b)):
        x, y = (n.similarity[i][np.argsort(n.rows[i])] for n in (a, b))
        assert len(set(x.tolist())) == 10
        assert tau == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
