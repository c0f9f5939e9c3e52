"""Intervals against scipy and by hand, their coverage by simulation; Holm by hand and against a published table."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from embdiff.errors import ParameterError
from embdiff.measures import holm, interval, wilson


def test_wilson_by_hand():
    """10 of 20, z = 1.959964: (0.5 + z^2/40 -+ z sqrt(0.25/20 + z^2/1600)) / (1 + z^2/20)."""
    z = 1.959963984540054
    middle, spread, divisor = 0.5 + z * z / 40, z * math.sqrt(0.25 / 20 + z * z / 1600), 1 + z * z / 20
    assert wilson(0.5, 20) == pytest.approx(((middle - spread) / divisor, (middle + spread) / divisor), abs=1e-14)
    assert wilson(0.5, 20) == pytest.approx((0.2993, 0.7007), abs=5e-5)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (1, 10), (5, 10), (10, 10), (81, 263), (15, 148), (1, 29)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_wilson_against_scipy(successes, n, level):
    expected = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    assert wilson(successes / n, n, level=level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_published_values():
    """Newcombe 1998, Statist. Med. 17:857, Table I, method 3 (without continuity correction)."""
    for successes, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson(successes / n, n) == pytest.approx((low, high), abs=5e-5)


def test_which_interval_is_used():
    rng = np.random.default_rng(0)
    assert interval([], seed=0)[2] == "none"
    assert np.isnan(interval([], seed=0)[:2]).all()
    assert interval([math.nan, math.nan], seed=0)[2] == "none"
    assert interval(rng.integers(0, 2, 500), seed=0)[2] == "wilson"
    assert interval(np.full(500, 0.4), seed=0) == (*wilson(0.4, 500), "wilson")
    assert interval(rng.random(29), seed=0)[2] == "wilson"
    assert interval(rng.random(49), seed=0)[2] == "wilson"
    assert interval(rng.integers(0, 11, 50) / 10, seed=0)[2] == "bca"
    assert interval(rng.random(50), seed=0)[2] == "bootstrap-t"
    assert interval(np.full(500, 1.0), seed=0)[1] == 1.0
    assert wilson(0.0, 0) == pytest.approx((math.nan, math.nan), nan_ok=True)


def test_undefined_values_are_left_out():
    values = np.random.default_rng(1).integers(0, 11, 200) / 10
    assert interval([*values, math.nan], seed=3) == interval(values, seed=3)


def test_values_outside_the_unit_interval_are_refused():
    with pytest.raises(ParameterError, match=r"lie in \[0, 1\]\. Got 2\."):
        interval([0.0, 2.0], seed=0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 10), min_size=1, max_size=60), st.integers(0, 2**63 - 1))
def test_the_interval_holds_the_mean_and_stays_in_range(values, seed):
    low, high, _ = interval(np.array(values) / 10, seed=seed)
    assert 0.0 <= low <= np.mean(values) / 10 + 1e-12
    assert np.mean(values) / 10 - 1e-12 <= high <= 1.0


OVERLAPS = {
    "mean .23 (as MiniLM and WordLlama)": (1.2, 4.0),
    "mean .07 (as MiniLM and LSA)": (0.35, 4.6),
    "mean .60": (3.0, 2.0),
    "mean .50, nearly all or none": (0.2, 0.2),
}


@pytest.mark.battery(one_in=9)
@pytest.mark.parametrize("name", OVERLAPS)
@pytest.mark.parametrize("n", [50, 200, 1_000])
def test_coverage(name, n, record_property):
    """Of 2,000 samples, 93 to 97 % of the intervals hold the true mean (Monte Carlo error 0.5 %)."""
    first, second = OVERLAPS[name]
    rng = np.random.default_rng(17)
    held = 0
    for seed in range(2_000):
        values = rng.binomial(10, rng.beta(first, second, n)) / 10
        low, high, _ = interval(values, seed=seed)
        held += low <= first / (first + second) <= high
    record_property("coverage", float(held / 2_000))
    print(f"coverage {name}, n = {n}: {held / 20:.1f} %")
    assert 0.93 <= held / 2_000 <= 0.97


@pytest.mark.battery
@pytest.mark.parametrize("n", [10, 25, 40])
def test_wilson_covers_at_least_its_level_for_graded_values(n):
    rng = np.random.default_rng(18)
    held = 0
    for _ in range(4_000):
        low, high, method = interval(rng.binomial(10, rng.beta(1.2, 4.0, n)) / 10, seed=0)
        held += low <= 0.3 / 1.3 <= high
        assert method == "wilson"
    assert held / 4_000 >= 0.95


def test_holm_by_hand():
    """Sorted .01 .02 .03 .04 times 4 3 2 1 = .04 .06 .06 .04, never falling: .04 .06 .06 .06."""
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.5, 0.9]), [1.0, 1.0])
    np.testing.assert_allclose(holm([0.2]), [0.2])
    assert holm([]).shape == (0,)


def test_holm_against_published_tables():
    """R, p.adjust(method = "holm"), on the values of Benjamini and Hochberg 1995, J. R. Statist. Soc. B 57:289."""
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
    r = [0.0015, 0.0056, 0.0247, 0.1140, 0.2211, 0.2780, 0.2780, 0.2780, 0.3213, 1, 1, 1, 1, 1, 1]
    np.testing.assert_allclose(holm(p), r, atol=1e-12)
    np.testing.assert_allclose(holm(p[::-1]), r[::-1], atol=1e-12)


def test_holm_leaves_undefined_tests_out():
    np.testing.assert_allclose(holm([0.01, math.nan, 0.04]), [0.02, math.nan, 0.04])
    assert np.isnan(holm([math.nan])).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_order_and_never_lowers(p):
    adjusted = holm(p)
    assert (adjusted >= np.array(p) - 1e-15).all()
    assert (adjusted <= np.minimum(1, np.array(p) * len(p)) + 1e-15).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
