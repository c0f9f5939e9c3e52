"""Paired tests against scipy and enumeration, detectable differences against exact power, tie groups by hand."""

import itertools
import json
import math
from dataclasses import replace
from operator import ge, gt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from embdiff._plain import reader
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures import holm
from embdiff.measures.differences import between_models, letters, tie_groups
from embdiff.measures.paired import PairedTest, detectable_difference, paired_test, paired_tests
from embdiff.measures.statistics import randomisation
from embdiff.measures.statistics.randomisation import randomisation_p
from embdiff.records import Score


def test_by_hand():
    """1, 2, 3: of eight signs only +++ and --- reach |6|; 1, 2, -3 has sum 0, which all reach."""
    assert randomisation_p([1, 2, 3], seed=0) == (2 / 8, 0)
    assert randomisation_p([1, 2, -3], seed=0) == (1.0, 0)
    assert randomisation_p([0, 0, 5], seed=0) == (1.0, 0)
    assert randomisation_p([0.0, 0.0], seed=0) == (1.0, 0)
    assert math.isnan(randomisation_p([], seed=0)[0])


def test_ties_count_half():
    """1, 1, 1, -1 has sum 2: two signs reach 4, eight reach 2, of which the observed and its mirror image count whole."""
    assert randomisation_p([1, 1, 1, -1], seed=0) == ((2 + 2 + 6 / 2) / 16, 0)
    assert randomisation_p([0.1, 0.2, -0.3, 0.4], seed=0) == ((2 + 2 + 2 + 2 + 2 / 2) / 16, 0)  # 1, .8, .6 and .4 twice


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-10, 10).filter(bool), min_size=1, max_size=9))
def test_exact_p_against_all_signs(steps):
    """Differences of a tenth: 0.1 + 0.2 and 0.3 are the same sum."""
    sums = [
        abs(sum(s * d for s, d in zip(signs, steps, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(steps))
    ]
    farther, as_far = (np.mean([compare(s, abs(sum(steps))) for s in sums]) for compare in (gt, ge))
    whole = 2 / len(sums)
    expected = farther + whole + (as_far - farther - whole) / 2
    assert randomisation_p(np.array(steps) / 10, seed=0)[0] == pytest.approx(expected)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_rejects_about_as_often_as_it_should(seed):
    """Of all 1,024 signs of ten differences: coarse ones near 5 %, ones without ties as often as p says."""
    rng = np.random.default_rng(seed)
    signs = np.array(list(itertools.product((1, -1), repeat=10)))
    coarse, fine = rng.integers(1, 6, 10) / 10, rng.gamma(2, 1, 10)
    p = np.array([randomisation_p(each * coarse, seed=0)[0] for each in signs])
    assert 0.03 <= np.mean(p <= 0.05) <= 0.062
    p = np.array([randomisation_p(each * fine, seed=0)[0] for each in signs])
    assert np.mean(p <= 0.05) == pytest.approx(p[p <= 0.05].max())


@pytest.mark.parametrize("quarter", [0.25, 0.1])
def test_random_signs_count_ties_half_too(quarter):
    """Against the law of the sum, built by convolution."""
    steps = np.random.default_rng(8).integers(-4, 6, 40)
    chances = np.ones(1)
    for size in np.abs(steps[steps != 0]):
        chances = (np.pad(chances, (0, size)) + np.pad(chances, (size, 0))) / 2
    away = np.abs(2 * np.arange(len(chances)) - (len(chances) - 1))
    farther, as_far = (chances[compare(away, abs(steps.sum()))].sum() for compare in (gt, ge))
    p, drawn = randomisation_p(steps * quarter, seed=2, permutations=200_000)
    assert drawn == 200_000
    assert p == pytest.approx((farther + as_far) / 2, abs=0.004)
    assert as_far - farther > 0.02


@pytest.mark.parametrize("n", [17, 24, 100])
def test_random_signs_against_scipy(n):
    differences = np.random.default_rng(n).gamma(1, 1, n) - 0.75
    expected = (
        stats.permutation_test(
            (differences,), np.mean, permutation_type="samples", n_resamples=100_000, rng=np.random.default_rng(1)
        )
        if n > 20
        else None
    )
    p, drawn = randomisation_p(differences, seed=3, permutations=100_000)
    exact = expected.pvalue if expected else _all_signs(differences)
    assert drawn == 100_000
    assert p == pytest.approx(exact, abs=0.006)


def _all_signs(differences):
    sums = np.zeros(1)
    for size in np.abs(differences):
        sums = np.concatenate([sums + size, sums - size])
    return np.mean(np.abs(sums) >= abs(differences.sum()) - 1e-12)


def test_random_signs_and_all_signs_agree(monkeypatch):
    differences = np.random.default_rng(0).normal(0.4, 1, 12)
    exact, drawn = randomisation_p(differences, seed=0)
    assert drawn == 0
    monkeypatch.setattr(randomisation, "EXACT", 0)
    monkeypatch.setattr(randomisation, "_DRAWN", 1_000)
    sampled, drawn = randomisation_p(differences, seed=0, permutations=50_000)
    assert drawn == 50_000
    assert sampled == pytest.approx(exact, abs=0.006)


def test_p_is_never_zero_and_is_the_same_for_a_seed():
    differences = np.random.default_rng(0).normal(5, 1, 100)
    assert randomisation_p(differences, seed=0, permutations=999) == (1 / 1000, 999)
    small = np.random.default_rng(1).normal(0.1, 1, 100)
    assert randomisation_p(small, seed=4) == randomisation_p(small, seed=4) == randomisation_p(-small, seed=4)
    assert randomisation_p(small, seed=4) != randomisation_p(small, seed=5)
    with_zeros = np.insert(small, 50, np.zeros(30))
    assert randomisation_p(with_zeros, seed=4) == randomisation_p(small, seed=4)


def test_numbers_that_cannot_be_outcome():
    with pytest.raises(ParameterError, match=r"Got NaN or infinity\. Leave these queries out\."):
        randomisation_p([1.0, math.nan], seed=0)
    with pytest.raises(ParameterError, match=r"at least 1 permutation\. Got 0"):
        randomisation_p([1.0], seed=0, permutations=0)
    with pytest.raises(ParameterError, match=r"Got 0\.05 and 0\.4"):
        detectable_difference([1.0, 2.0], power=0.4)
    with pytest.raises(ShapeError, match=r"Got \(3,\) and \(2,\)\. Pass the values per query"):
        paired_test([1, 2, 3], [1, 2], ("a", "b"), measure="rr", seed=0)


@pytest.mark.parametrize("n", [10, 30, 50, 200, 1_000])
def test_detectable_difference_has_its_power(n):
    """The exact power of the t-test, from the noncentral distribution, at this difference."""
    differences = np.random.default_rng(n).normal(size=n)
    effect = detectable_difference(differences) / differences.std(ddof=1)
    limit, centre = stats.t.ppf(0.975, n - 1), effect * math.sqrt(n)
    power = stats.nct.sf(limit, n - 1, centre) + stats.nct.cdf(-limit, n - 1, centre)
    assert power == pytest.approx(0.8, abs=0.006)


def test_a_paired_test():
    rng = np.random.default_rng(7)
    second = rng.random(60)
    first = second + rng.normal(0.1, 0.2, 60)
    first[4] = second[9] = math.nan
    test = paired_test(first, second, ("a", "b"), measure="ndcg@10", seed=0)
    differences = np.delete(first - second, [4, 9])
    assert (test.n, test.unequal, test.permutations, test.interval) == (58, 58, 10_000, "bootstrap-t")
    assert test.difference == pytest.approx(differences.mean())
    assert test.effect == pytest.approx(differences.mean() / differences.std(ddof=1))
    assert test.low < test.difference < test.high
    assert test.p == test.p_holm == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.003)
    assert test.reason == "2 of 60 queries are undefined for a model and are left out"
    assert reader(PairedTest).validate_python(json.loads(json.dumps(test.to_dict(), allow_nan=False))) == test
    back = paired_test(second, first, ("b", "a"), measure="ndcg@10", seed=0)
    assert (back.difference, back.effect, back.p) == pytest.approx((-test.difference, -test.effect, test.p))
    assert (back.low, back.high) == pytest.approx((-test.high, -test.low), abs=0.01)


def test_what_is_undefined():
    same = paired_test([0.5, 1.0], [0.5, 1.0], ("a", "b"), measure="rr", seed=0)
    assert (same.difference, same.p, same.unequal, same.interval) == (0, 1, 0, "none")
    assert same.reason == "all 2 differences are equal: there is no interval, effect size or detectable difference"
    plain = same.to_dict()
    assert [key for key, value in plain.items() if value is None] == ["low", "high", "effect", "detectable"]
    assert reader(PairedTest).validate_python(plain).to_dict() == plain
    none = paired_test([], [], ("a", "b"), measure="rr", seed=0)
    assert (none.n, none.reason, none.to_dict()["p"]) == (0, "there are no queries", None)
    undefined = paired_test([math.nan], [1.0], ("a", "b"), measure="rr", seed=0)
    assert (undefined.n, undefined.to_dict()["difference"]) == (0, None)
    assert undefined.reason == "1 of 1 queries are undefined for a model and are left out"
    one = paired_test([1.0], [0.5], ("a", "b"), measure="rr", seed=0)
    assert (one.p, one.interval, one.to_dict()["detectable"]) == (1.0, "none", None)


def test_no_difference_beyond_what_the_measure_allows():
    first, second = [1.0, 0.1, 0.0], [0.0, 0.3, 0.4]
    free, bounded = (
        paired_test(first, second, ("x", "y"), measure="ndcg@10", seed=0, widest=widest) for widest in (math.inf, 1.0)
    )
    assert (free.low < -1, free.high > 1, free.detectable > 1) == (True, True, True)
    assert (bounded.low, bounded.high) == (-1.0, 1.0)
    assert math.isnan(bounded.detectable)
    assert bounded.reason == "3 queries of such spread would show no difference that the measure allows"
    assert (bounded.p, bounded.effect, bounded.difference) == (free.p, free.effect, free.difference)
    scores = [
        Score(name, (model,), 0.5, 0.0, 1.0, 0.1, 3, per_query=tuple(values))
        for name in ("ndcg@10", "precision_judged@5")
        for model, values in (("x", first), ("y", second))
    ]
    known, unknown = (each.tests[0] for each in between_models(scores, seed=0))
    assert (known.low, known.high) == (-1.0, 1.0)
    assert unknown.high == free.high


def test_all_pairs():
    rng = np.random.default_rng(8)
    base = rng.random(80)
    values = {name: base + rng.normal(shift, 0.1, 80) for name, shift in (("x", 0.3), ("y", 0.0), ("z", 0.01))}
    tests = paired_tests(values, measure="rr", seed=0)
    assert [test.models for test in tests] == [("x", "y"), ("x", "z"), ("y", "z")]
    np.testing.assert_array_equal([test.p_holm for test in tests], holm([test.p for test in tests]))
    alone = paired_test(values["y"], values["z"], ("y", "z"), measure="rr", seed=0)
    assert replace(tests[2], p_holm=alone.p) == alone
    assert tie_groups(["x", "z", "y"], tests) == (("x",), ("z", "y"))
    assert paired_tests({"x": base}, measure="rr", seed=0) == ()


def outcome(models, apart):
    """A test for every two models; those in ``apart`` have a small p."""
    plain = paired_test([0.0], [0.0], ("", ""), measure="rr", seed=0)
    return [
        replace(plain, models=pair, p_holm=0.001 if set(pair) in [set(p) for p in apart] else 0.5)
        for pair in itertools.combinations(models, 2)
    ]


def test_tie_groups_by_hand():
    assert tie_groups("abc", outcome("abc", [])) == (("a", "b", "c"),)
    assert tie_groups("abc", outcome("abc", ["ac"])) == (("a", "b"), ("b", "c"))
    assert tie_groups("abc", outcome("abc", ["ab", "ac", "bc"])) == (("a",), ("b",), ("c",))
    assert tie_groups("abcd", outcome("abcd", ["ac", "ad", "bd"])) == (("a", "b"), ("b", "c"), ("c", "d"))
    assert tie_groups("ba", outcome("ab", [])) == (("b", "a"),)
    assert tie_groups("a", []) == (("a",),)
    assert tie_groups("", []) == ()
    edge = [replace(test, p_holm=0.05) for test in outcome("ab", [])]
    assert tie_groups("ab", edge) == (("a", "b"),)
    assert tie_groups("ab", edge, alpha=0.06) == (("a",), ("b",))
    unknown = [replace(test, p_holm=math.nan) for test in outcome("ab", ["ab"])]
    assert tie_groups("ab", unknown) == (("a", "b"),)


def test_letters():
    groups = tie_groups("abc", outcome("abc", ["ac"]))
    assert letters("abc", groups) == {"a": "a", "b": "ab", "c": "b"}
    many = [(str(i), str(i + 1)) for i in range(27)]
    assert letters(["0", "26", "27"], many) == {"0": "a", "26": "z,aa", "27": "aa"}


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_tie_groups_against_all_sets(count, seed):
    models = "abcdefg"[:count]
    rng = np.random.default_rng(seed)
    apart = [pair for pair in itertools.combinations(models, 2) if rng.random() < 0.5]
    tied = [
        set(group)
        for size in range(1, count + 1)
        for group in itertools.combinations(models, size)
        if not any(set(pair) <= set(group) for pair in apart)
    ]
    largest = [group for group in tied if not any(group < other for other in tied)]
    found = tie_groups(models, outcome(models, apart))
    assert sorted(map(sorted, found)) == sorted(map(sorted, largest))


def test_tests_that_do_not_fit():
    with pytest.raises(ParameterError, match=r"3 models need 3 tests, one for every two\. Got 1\. Use paired_tests\."):
        tie_groups("abc", outcome("ab", []))
    with pytest.raises(ParameterError, match=r"must be of two of the models\. Got one of a and c"):
        tie_groups("ab", outcome("ac", []))
    with pytest.raises(ParameterError, match=r"Got two of a and b\. Pass the tests of one measure\."):
        tie_groups("ab", outcome("ab", []) * 2)
    with pytest.raises(ParameterError, match=r"Every model must occur once\."):
        tie_groups("aa", [])
    with pytest.raises(ParameterError, match=r"alpha must be between 0 and 1\. Got 5"):
        tie_groups("ab", outcome("ab", []), alpha=5)
