"""Correlations and AUC of pairs: against scipy and scikit-learn, by hand, and how often their intervals hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.differences import between_models
from embdiff.measures.pairs import (
    ScoredPairs,
    auc,
    auc_influence,
    pearson,
    pearson_influence,
    spearman,
    spearman_influence,
)
from embdiff.measures.row_pairs import pair_similarity
from embdiff.measures.score import score as score_of
from embdiff.measures.statistics.correlation import levelled, mean_ranks, numbered, without_each, without_each_of
from embdiff.measures.statistics.kinds import error_within
from embdiff.measures.statistics.quantiles import student_p

stats = pytest.importorskip("scipy.stats", reason="the reference is a test dependency")
columns = hnp.arrays(np.float64, st.integers(4, 40), elements=st.integers(-5, 5).map(float))


@settings(max_examples=80, deadline=None)
@given(columns, st.integers(0, 1000))
def test_against_scipy_with_ties(x, seed):
    y = np.round(x + np.random.default_rng(seed).normal(size=len(x)) * 3)
    np.testing.assert_array_equal(mean_ranks(numbered(x)), stats.rankdata(x))
    if np.ptp(x) and np.ptp(y):
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y)[0], abs=1e-12)
        assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y)[0], abs=1e-12)
        assert spearman(x, y) == pytest.approx(spearman(np.exp(x), y**3), abs=1e-12)
    else:
        assert math.isnan(spearman(x, y))
        assert math.isnan(pearson(x, y))


@settings(max_examples=40, deadline=None)
@given(columns, st.integers(0, 1000))
def test_auc_against_scikit_learn(x, seed):
    metrics = pytest.importorskip("sklearn.metrics", reason="the reference is a test dependency")
    y = np.random.default_rng(seed).integers(0, 2, len(x)).astype(float)
    if len(np.unique(y)) == 2:
        assert auc(x, y) == pytest.approx(metrics.roc_auc_score(y, x), abs=1e-12)


@pytest.mark.parametrize("name", ["pearson", "spearman", "auc"])
def test_influence_is_the_jackknife(name):
    function = {"pearson": pearson, "spearman": spearman, "auc": auc}[name]
    influence = {"pearson": pearson_influence, "spearman": spearman_influence, "auc": auc_influence}[name]
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=200), 1)
    y = (x + rng.normal(size=200) > 0.3).astype(float) if name == "auc" else np.round(x + rng.normal(size=200), 1)
    without = np.array([function(np.delete(x, i), np.delete(y, i)) for i in range(200)])
    jackknife = 199 * (without.mean() - without)
    assert influence(x, y) == pytest.approx(jackknife, abs=0.1)
    assert influence(x, y).mean() == pytest.approx(0, abs=1e-12)


def _sampler(name: str, rng: np.random.Generator):
    def correlated(n: int):
        x = rng.normal(size=n)
        return x, 0.8 * x + 0.6 * rng.normal(size=n)

    def kinds(n: int):
        y = (np.arange(n) % 3 == 0).astype(float)
        return rng.normal(size=n) + 1.2 * y, y

    truth = {"pearson": 0.8, "spearman": 6 / math.pi * math.asin(0.4), "auc": stats.norm.cdf(1.2 / math.sqrt(2))}
    return (kinds if name == "auc" else correlated), truth[name]


def _coverage(name: str, n: int, repetitions: int) -> float:
    draw, truth = _sampler(name, np.random.default_rng(7))
    scores = (score_of(name, ScoredPairs(*draw(n), ("m",))) for _ in range(repetitions))
    return sum(score.low <= truth <= score.high for score in scores) / repetitions


@pytest.mark.parametrize("name", ["pearson", "spearman", "auc"])
def test_intervals_hold_the_truth(name):
    assert 0.92 <= _coverage(name, 100, 500) <= 0.98


@pytest.mark.battery
@pytest.mark.parametrize("n", [50, 200, 1000])
@pytest.mark.parametrize("name", ["pearson", "spearman", "auc"])
def test_intervals_hold_the_truth_as_often_as_they_say(name, n):
    assert 0.93 <= _coverage(name, n, 2000) <= 0.97


def test_pseudo_values_and_what_is_left_out():
    x, y = np.random.default_rng(1).normal(size=(2, 12))
    x[2] = np.nan
    score = score_of("spearman", ScoredPairs(x, y, ("m",)))
    assert score.n == 11
    assert score.reason == "1 of 12 pairs with a zero vector are left out"
    assert math.isnan(score.per_query[2])
    assert np.nanmean(score.per_query) == pytest.approx(score.value)
    assert (score.chance, score.interval) == (0.0, "influence")


def test_undefined_and_extreme():
    flat = score_of("pearson", ScoredPairs(np.ones(5), np.arange(5.0), ("m",)))
    assert math.isnan(flat.value)
    assert flat.reason == "all similarities or all scores are equal"
    assert score_of("pearson", ScoredPairs(np.array([np.nan, 1]), np.arange(2.0), ("m",))).reason.startswith(
        "there are fewer than two"
    )
    few = score_of("pearson", ScoredPairs(np.arange(9.0), np.arange(9.0) ** 2, ("m",)))
    assert few.value > 0.9
    assert math.isnan(few.low)
    assert few.reason == "no interval and no test below 10 pairs (here 9)"
    perfect = score_of("spearman", ScoredPairs(np.arange(10.0), np.arange(10.0), ("m",)))
    assert (perfect.value, perfect.high, perfect.interval) == (1.0, 1.0, "wilson")
    assert perfect.low < 0.9
    apart = score_of("auc", ScoredPairs(np.arange(11.0), np.repeat([0.0, 1.0], [6, 5]), ("m",)))
    assert (apart.value, apart.high, apart.chance) == (1.0, 1.0, 0.5)
    assert apart.low < 0.7


@pytest.mark.parametrize("name", ["auc", "spearman", "pearson"])
@pytest.mark.parametrize("positive", [1, 2, 4, 196, 199])
def test_below_five_of_the_rarer_kind_there_is_no_interval_and_no_test(name, positive):
    rng, y = np.random.default_rng(positive), (np.arange(200) < positive).astype(float)
    scores = [score_of(name, ScoredPairs(rng.normal(size=200), y, (model,))) for model in "ab"]
    rarer = min(positive, 200 - positive)
    assert scores[0].reason == f"no interval and no test below 5 pairs of the rarest kind (here {rarer})"
    assert math.isfinite(scores[0].value)
    assert math.isnan(scores[0].low)
    assert scores[0].interval == "none"
    assert between_models(scores, seed=0, kinds=y == 1) == ()


@pytest.mark.parametrize(("name", "apart"), [("auc", 0.0), ("spearman", 0.0), ("pearson", 1.2), ("auc", 2.0)])
def test_intervals_and_tests_hold_with_five_positive_pairs_of_many(name, apart):
    """So many pairs of each kind are drawn; with the number of all pairs for n these held in 79 to 87 %."""
    rng, y = np.random.default_rng(3), (np.arange(120) < 5).astype(float)
    share = y.mean()
    within = share * (1 - share)
    truth = {
        "auc": stats.norm.cdf(apart / math.sqrt(2)),
        "spearman": math.sqrt(3 * within) * (2 * stats.norm.cdf(apart / math.sqrt(2)) - 1),
        "pearson": apart * math.sqrt(within / (1 + within * apart**2)),
    }[name]
    held, told_apart, repetitions = 0, 0, 300
    for _ in range(repetitions):
        scores = [score_of(name, ScoredPairs(rng.normal(size=120) + apart * y, y, (model,))) for model in "ab"]
        held += scores[0].low <= truth <= scores[0].high
        told_apart += between_models(scores, seed=0, kinds=y == 1)[0].tests[0].p < 0.05
    assert held / repetitions >= 0.92
    assert told_apart / repetitions <= 0.085


def test_the_variance_of_two_kinds_is_welch():
    """Student's test of means of two kinds: `scipy.stats.ttest_ind` with unequal variances, of differences from 0."""
    rng = np.random.default_rng(2)
    kinds = np.arange(60) < 7
    one, two = rng.normal(size=7), 3 * rng.normal(size=53) + 1
    values = np.where(kinds, 60 / 7, 60 / 53) * np.concatenate([one, -two])
    error, free = error_within(values, kinds)
    welch = stats.ttest_ind(one, two, equal_var=False)
    assert (values.mean() / error, free) == pytest.approx((welch.statistic, welch.df))
    assert student_p(welch.statistic, welch.df) == pytest.approx(welch.pvalue, abs=1e-9)


def test_spearman_of_two_kinds_is_a_multiple_of_auc():
    rng, y = np.random.default_rng(4), (np.arange(40) < 9).astype(float)
    pair = ScoredPairs(np.round(rng.normal(size=40) + y, 1), y, ("m",))
    ranked, area = score_of("spearman", pair), score_of("auc", pair)
    steep = ranked.value / (area.value - 0.5)
    assert (ranked.low, ranked.high) == pytest.approx((steep * (area.low - 0.5), steep * (area.high - 0.5)))


@pytest.mark.parametrize("seed", range(3))
def test_rounding_orders_nothing(seed):
    """Similarities that are equal but for their last digits are equal; the same with ties kept, by scipy."""
    rng = np.random.default_rng(seed)
    x, y = np.round(rng.normal(size=60), 1) / 2, np.round(rng.normal(size=60))
    kinds = (y > 0).astype(float)
    noisy = x + rng.choice([-1.0, 0.0, 1.0], 60) * 2.0**-53
    assert len(np.unique(noisy)) > len(np.unique(x))
    assert spearman(noisy, y) == pytest.approx(stats.spearmanr(x, y)[0], abs=1e-12)
    assert auc(noisy, kinds) == pytest.approx(auc(x, kinds), abs=1e-12)
    for name, labels in (("spearman", y), ("auc", kinds), ("spearman", kinds)):
        plain, other = (score_of(name, ScoredPairs(each, labels, ("m",))) for each in (x, noisy))
        assert (other.value, other.low, other.high) == pytest.approx((plain.value, plain.low, plain.high), abs=1e-9)


def test_a_level_is_no_wider_than_the_tolerance():
    """Each value is near the next, the first is not near the last: nearness of pairs is not transitive."""
    steps = 1.0 + np.arange(6) * 6e-13
    assert len(np.unique(levelled(steps))) == 3
    assert levelled(levelled(steps)).tolist() == levelled(steps).tolist()
    assert levelled(np.array([3.0, 1.0, 2.0])).tolist() == [3.0, 1.0, 2.0]
    assert levelled(np.array([])).tolist() == []


def test_auc_of_one_kind_that_is_left_has_a_reason():
    x = np.array([np.nan, np.nan, 0.3, 0.9])
    score = score_of("auc", ScoredPairs(x, np.array([0.0, 0.0, 1.0, 1.0]), ("m",)))
    assert (score.n, math.isnan(score.value)) == (2, True)
    assert score.reason == "there is only one kind of pairs; 2 of 4 pairs with a zero vector are left out"


def test_similarities_of_pairs():
    left, right = np.array([[1, 0], [0, 0], [2, 2]], np.float32), np.array([[1, 1], [1, 0], [1, 1]], np.float32)
    assert pair_similarity(left, right, "cosine")[[0, 2]] == pytest.approx([1 / math.sqrt(2), 1])
    assert math.isnan(pair_similarity(left, right, "cosine")[1])
    assert pair_similarity(left, right, "ip").tolist() == [1, 0, 4]
    assert pair_similarity(left, right, "l2").tolist() == [-1, -1, -2]


def test_what_is_refused():
    with pytest.raises(ShapeError, match=r"two columns of one length.*Got shapes \(2,\) and \(3,\)"):
        pearson([1, 2], [1, 2, 3])
    with pytest.raises(ParameterError, match=r"auc needs two kinds of pairs. Got 3"):
        auc([1, 2, 3], [1, 2, 3])
    with pytest.raises(ShapeError, match=r"must have one shape \(n, d\)"):
        pair_similarity(np.ones((2, 2), np.float32), np.ones((3, 2), np.float32), "cosine")


@pytest.mark.parametrize("n", [4, 5, 40])
def test_correlations_without_each_pair(n):
    rng = np.random.default_rng(n)
    x, y = rng.standard_normal((2, n))
    expected = [stats.pearsonr(np.delete(x, i), np.delete(y, i)).statistic for i in range(n)]
    np.testing.assert_allclose(without_each(x, y), expected, atol=1e-12)


def test_correlations_with_kinds_without_each_pair():
    """The shares of the kinds stay: of 5 and 7 pairs, whichever is left out."""
    x, kinds = np.random.default_rng(0).standard_normal(12), np.arange(12) < 5
    share, found = 5 / 12, without_each_of(x, kinds)
    for at in range(12):
        one, two = (np.delete(x, at)[np.delete(kinds, at) == kind] for kind in (True, False))
        apart = (one.mean() - two.mean()) * math.sqrt(share * (1 - share))
        within = share * one.var() + (1 - share) * two.var()
        assert found[at] == pytest.approx(apart / math.sqrt(within + apart**2), abs=1e-12)
    assert pearson(x, kinds) == pytest.approx(stats.pearsonr(x, kinds)[0])


def test_the_interval_of_a_linear_correlation_leaves_pairs_out():
    """By the definition: pseudo-values of Fisher's z, Student's quantile; the influence where z would be infinite."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal(30)
    y = x + rng.standard_t(3, 30)
    score = score_of("pearson", ScoredPairs(x, y, ("m",)))
    z = [math.atanh(stats.pearsonr(np.delete(x, i), np.delete(y, i)).statistic) for i in range(30)]
    pseudo = 30 * math.atanh(score.value) - 29 * np.array(z)
    half = stats.t.ppf(0.975, 29) * pseudo.std(ddof=1) / math.sqrt(30)
    assert score.interval == "jackknife"
    assert (score.low, score.high) == pytest.approx(
        (math.tanh(pseudo.mean() - half), math.tanh(pseudo.mean() + half)), abs=1e-6
    )
    line = score_of("pearson", ScoredPairs(np.arange(11.0), np.array([*range(10), 19.0]), ("m",)))
    assert line.interval == "influence"
    assert line.low < line.value < line.high
