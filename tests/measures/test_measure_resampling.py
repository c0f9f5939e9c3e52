"""Intervals of values of any range against scipy and against `interval`; Student's quantiles."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from embdiff.errors import ParameterError
from embdiff.measures import interval, wilson
from embdiff.measures.statistics import resampling
from embdiff.measures.statistics.quantiles import student_quantile
from embdiff.measures.statistics.resampling import mean_intervals


def mean_interval(values, *, seed, bounds=None, level=0.95):
    """The interval of values without bounds, unless they are given."""
    return interval(values, seed=seed, bounds=bounds, level=level)


@pytest.fixture(autouse=True)
def no_counts_of_other_tests():
    resampling._remembered.cache_clear()
    yield
    resampling._remembered.cache_clear()


@pytest.mark.parametrize("free", [1, 2, 3, 7, 29, 200, 10**5])
@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.6, 0.8, 0.975, 0.9999])
def test_student_against_scipy(share, free):
    assert student_quantile(share, free) == pytest.approx(stats.t.ppf(share, free), rel=1e-8, abs=1e-12)


def test_student_out_of_range():
    for share, free in ((0.0, 3), (1.0, 3), (0.5, 0)):
        with pytest.raises(ParameterError, match=r"at least 1 degree of freedom\. Got .*Pass at least two values\."):
            student_quantile(share, free)


def test_which_interval_is_used():
    rng = np.random.default_rng(0)
    for nothing in ([], [math.nan], [math.nan, math.nan]):
        assert mean_interval(nothing, seed=0)[2] == "none"
        assert np.isnan(mean_interval(nothing, seed=0)[:2]).all()
    assert mean_interval([3.0], seed=0)[2] == "none"
    assert mean_interval([3.0] * 50, seed=0)[2] == "none"
    assert mean_interval([3.0, 4.0], seed=0)[2] == "student"
    assert mean_interval(rng.random(29), seed=0)[2] == "student"
    assert mean_interval(rng.random(29), seed=0, bounds=(0, 1))[2] == "wilson"
    assert mean_interval([1.0] * 50, seed=0, bounds=(-1, 1)) == (-1 + 2 * wilson(1.0, 50)[0], 1.0, "wilson")
    assert mean_interval([0.4] * 50, seed=0, bounds=(0, 1))[:2] == pytest.approx(wilson(0.4, 50), rel=1e-14)
    assert mean_interval(rng.random(30), seed=0)[2] == "bootstrap-t"
    assert mean_interval(rng.random(4_097), seed=0)[2] == "bca"
    few_differ = np.repeat([0.0, 1.0], [48, 2])  # 13 % of the resamples have no 1
    assert mean_interval(few_differ, seed=0)[2] == "bca"
    assert np.isfinite(mean_interval(few_differ, seed=0)[:2]).all()


def test_student_interval_against_scipy():
    values = np.random.default_rng(1).normal(2, 3, 12)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    low, high, _ = mean_interval(values, seed=0, level=0.9)
    assert (low, high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def with_student(values, low, high):
    """Return the farther of these ends and of Student's, which small samples get."""
    student = stats.ttest_1samp(values, 0).confidence_interval() if len(values) < 500 else (math.inf, -math.inf)
    return min(low, student[0]), max(high, student[1])


SKEWED = {"without bounds": lambda rng, n: rng.gamma(0.5, 2.0, n)} | {
    f"shares of ten, beta({a}, {b})": lambda rng, n, a=a, b=b: rng.binomial(10, rng.beta(a, b, n)) / 10
    for a, b in ((1.2, 4.0), (0.35, 4.6), (20.0, 0.6))
}


@pytest.mark.parametrize("n", [60, 200, 2_000])
@pytest.mark.parametrize("law", SKEWED)
def test_bca_against_scipy(n, law, monkeypatch):
    """Other random numbers: the ends agree within the noise of 40,000 resamples and one step of the mean."""
    monkeypatch.setattr(resampling, "RESAMPLES", 40_000)
    monkeypatch.setattr(resampling, "STUDENTISED", 0)
    values = SKEWED[law](np.random.default_rng(n), n)
    wide = 2 * stats.norm.cdf(stats.t.ppf(0.975, n - 1) * math.sqrt(n / (n - 1))) - 1
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, batch=250, confidence_level=wide, rng=np.random.default_rng(1)
    ).confidence_interval
    low, high, method = interval(values, seed=7, bounds=None if law == "without bounds" else (0.0, 1.0))
    assert method == "bca"
    noise = 0.12 * values.std() / math.sqrt(n) + 0.1 / n
    expected = np.clip(with_student(values, *expected), -math.inf, math.inf if law == "without bounds" else 1.0)
    assert (low, high) == pytest.approx(tuple(expected), abs=noise)


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 200])
def test_studentised_against_one_resample_at_a_time(n, monkeypatch):
    """The textbook's steps, with other random numbers."""
    monkeypatch.setattr(resampling, "RESAMPLES", 40_000)
    values, rng = np.random.default_rng(n).gamma(0.5, 2.0, n), np.random.default_rng(0)
    ratios = []
    for _ in range(20_000):
        drawn = rng.choice(values, n)
        ratios.append((drawn.mean() - values.mean()) / stats.sem(drawn))
    expected = with_student(values, *(values.mean() - np.quantile(ratios, [0.975, 0.025]) * stats.sem(values)))
    low, high, method = mean_interval(values, seed=7)
    assert method == "bootstrap-t"
    assert (low, high) == pytest.approx(tuple(expected), abs=(0.25 if n == 30 else 0.12) * values.std() / math.sqrt(n))


def test_the_studentised_interval_covers_where_values_have_a_long_tail():
    """As ranks have: 20 % of all samples miss most of the tail. BCa would hold 91 % here."""
    rng, held = np.random.default_rng(11), 0
    for seed in range(600):
        low, high, _ = mean_interval(rng.exponential(size=50) ** 1.5, seed=seed)
        held += low <= math.gamma(2.5) <= high
    assert 0.92 <= held / 600 <= 0.97


@pytest.mark.parametrize("n", [40, 400, 20_000])
def test_many_means_from_one_draw_are_what_each_would_be_alone(n):
    rng = np.random.default_rng(3)
    table = np.stack([rng.integers(0, 11, n) / 10, rng.random(n), rng.gamma(0.5, 2.0, n), np.full(n, 0.4)], axis=1)
    bounds = [(0, 1), (0, 1), None, (0, 1)]
    together = mean_intervals(table, bounds, seed=5)
    alone = [mean_interval(table[:, at], seed=5, bounds=bounds[at]) for at in range(4)]
    assert [each[2] for each in together] == [each[2] for each in alone]
    np.testing.assert_allclose([each[:2] for each in together], [each[:2] for each in alone], rtol=1e-9)


def test_intervals_over_the_same_queries_move_together():
    """One draw for all: what is a tenth of something else has a tenth of its interval, whatever stands beside it."""
    values = np.random.default_rng(4).gamma(1, 1, 300)
    (low, high, _), (first, last, _) = mean_intervals(np.stack([values, values / 10], axis=1), [None, None], seed=1)
    assert (first, last) == pytest.approx((low / 10, high / 10), rel=1e-9)


def test_a_query_without_a_value_is_left_out_of_its_own_mean_only():
    rng = np.random.default_rng(6)
    table = rng.random((500, 2))
    table[::3, 1] = math.nan
    whole, part = mean_intervals(table, [(0, 1), (0, 1)], seed=1)
    assert whole == mean_interval(table[:, 0], seed=1, bounds=(0, 1))
    alone = mean_interval(table[:, 1], seed=1, bounds=(0, 1))
    assert part[:2] == pytest.approx(alone[:2], abs=0.15 * 0.29 / math.sqrt(333))


def test_the_same_for_the_same_seed():
    for n in (100, 5_000):
        values = np.random.default_rng(4).normal(size=n)
        assert mean_interval(values, seed=5) == mean_interval(values, seed=5)
        assert mean_interval([*values, math.nan], seed=5) == mean_interval(values, seed=5)
        assert mean_interval(values, seed=5) != mean_interval(values, seed=6)
        turned = mean_interval(values[::-1], seed=5)  # other queries are drawn: the noise of 4,000 resamples
        assert turned[:2] == pytest.approx(mean_interval(values, seed=5)[:2], abs=0.15 / math.sqrt(n))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.integers(0, 2**63 - 1))
def test_the_interval_holds_the_mean_and_stays_in_bounds(values, seed):
    low, high, method = mean_interval(values, seed=seed, bounds=(-1, 1))
    assert -1 <= low <= np.mean(values) + 1e-9
    assert np.mean(values) - 1e-9 <= high <= 1
    assert method in ("wilson", "bootstrap-t", "bca")


@pytest.mark.parametrize("shift", [1e3, -5.0])
def test_shift_and_scale_move_the_ends(shift):
    values = np.random.default_rng(5).gamma(1, 1, 80)
    low, high, _ = mean_interval(values, seed=0)
    assert mean_interval(3 * values + shift, seed=0)[:2] == pytest.approx((3 * low + shift, 3 * high + shift), rel=1e-9)


def test_values_out_of_bounds():
    with pytest.raises(ParameterError, match=r"must be finite and lie in \[0, 1\]\. Got 2\."):
        mean_interval([0.5, 2.0], seed=0, bounds=(0, 1))
    with pytest.raises(ParameterError, match=r"Got inf\. Pass undefined values as NaN"):
        mean_interval([0.5, math.inf], seed=0)
    with pytest.raises(ParameterError, match=r"Got 95\. Pass 0\.95 for 95 %"):
        mean_interval([0.5, 1.0], seed=0, level=95)


@pytest.mark.parametrize("n", [10, 20, 30, 49])
@pytest.mark.parametrize("law", ["a long tail", "mostly whole", "at both ends"])
def test_few_graded_values_have_an_interval_that_holds_whatever_their_law(law, n):
    """A long tail that most samples miss does not shorten Wilson's interval."""
    draw = {
        "a long tail": (lambda rng: rng.exponential(size=n).clip(0, 12) / 12 * (rng.random(n) < 0.5), 0.04166),
        "mostly whole": (lambda rng: 1 - rng.beta(0.4, 0.6, n) * (rng.random(n) < 0.2), 0.92),
        "at both ends": (lambda rng: np.where(rng.random(n) < 0.7, 1.0, rng.random(n) * 0.2), 0.73),
    }[law]
    held = 0
    for seed in range(1_000):
        low, high, method = mean_interval(draw[0](np.random.default_rng((n, seed))), seed=seed, bounds=(0, 1))
        assert method == "wilson"
        held += low <= draw[1] <= high
    assert held / 1_000 >= 0.93
