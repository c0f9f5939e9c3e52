"""Groups that keep rows together, intervals on other scales, and what hangs on pairs counted once."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from embdiff.measures.dimension import _log_ratios
from embdiff.measures.statistics import jackknife as jk
from embdiff.records import Neighbors

WITHOUT = [0.9, 1.0, 1.1, 1.2] * 3
REACH = t.ppf(0.975, 11) * math.sqrt(11 / 12 * 0.15)  # the squared distances from 1.05 sum to .15


def test_linked_by_hand():
    """0 with 1, 1 with 2, 2 with 2: one set; 3 and 4 each other's; 5 alone; 7 with 6, 6 with 3."""
    assert jk.linked(np.array([1, 2, 2, 4, 3, 5, 3, 6])).tolist() == [0, 0, 0, 3, 3, 5, 3, 3]
    assert jk.linked(np.array([], dtype=np.int64)).tolist() == []


@given(st.lists(st.integers(0, 29), min_size=30, max_size=30))
def test_linked_against_scipy(partner):
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = np.arange(30)
    _, labels = connected_components(coo_array((np.ones(30), (rows, partner)), shape=(30, 30)), directed=False)
    found = jk.linked(np.array(partner))
    assert ((found[:, None] == found) == (labels[:, None] == labels)).all()
    assert (found <= rows).all()


def test_rows_of_one_number_stay_together():
    together = np.repeat(np.arange(25), 4)[np.random.default_rng(0).permutation(100)]
    for count, size in ((5, 20), (25, 4)):
        parts = jk.groups(100, seed=1, count=count, together=together)
        assert [len(part) for part in parts] == [size] * count
        assert sorted(np.concatenate(parts)) == list(range(100))
        assert [len(set(together[part])) for part in parts] == [size // 4] * count
    assert [p.tolist() for p in parts] == [p.tolist() for p in jk.groups(100, seed=1, count=25, together=together)]
    assert [p.tolist() for p in parts] != [p.tolist() for p in jk.groups(100, seed=2, count=25, together=together)]


def test_partners_are_each_others_nearest():
    """On a line at 0, 1, 3, 3.5, 10: 0 and 1, 3 and 3.5 are each other's nearest; 10 has 3.5, which has 3."""
    x = np.array([[0.0], [1.0], [3.0], [3.5], [10.0]])
    lists = Neighbors(np.array([[1, 2], [0, 2], [3, 1], [2, 1], [3, 2]]), np.zeros((5, 2), dtype=np.float32), "l2")
    ratios, partner = _log_ratios(x, lists)
    assert partner.tolist() == [1, 0, 3, 2, 4]
    assert ratios == pytest.approx(np.log([3.0, 2.0, 4.0, 5.0, 7 / 6.5]))


def test_scales_by_hand():
    assert jk.jackknife(1.0, WITHOUT, (-9, 9))[:2] == pytest.approx((1 - REACH, 1 + REACH), rel=2e-2)
    plain = jk.jackknife(1.0, WITHOUT, (-9, 9))[1] - 1
    assert jk.jackknife(2.0, WITHOUT, (0, 9), scale=jk.LOG)[:2] == pytest.approx(
        (2 * math.exp(-plain / 2), 2 * math.exp(plain / 2))
    )
    low, high, _ = jk.jackknife(2.0, WITHOUT, (-9, 9), scale=jk.root(-2.0))
    assert (math.sqrt(low + 2), math.sqrt(high + 2)) == pytest.approx((2 - plain / 4, 2 + plain / 4))
    assert jk.jackknife(-1.99, WITHOUT, (-2, 9), scale=jk.root(-2.0))[0] == -2.0
    short = jk.jackknife(1.0, WITHOUT, (-9, 9), factor=0.25)
    assert short[:2] == pytest.approx((1 - plain / 2, 1 + plain / 2))


def test_a_value_that_a_scale_cannot_take_is_left_plain():
    plain = jk.jackknife(0.0, WITHOUT, (-9, 9))
    assert jk.jackknife(0.0, WITHOUT, (-9, 9), scale=jk.LOG) == plain
    assert jk.jackknife(-1.0, WITHOUT, (-9, 9), scale=jk.root(-1.0))[0] < -1.0
    assert jk.jackknife(3.0, [3.0] * 10, (0, 9), scale=jk.LOG) == pytest.approx((3.0, 3.0, "jackknife"))


@pytest.mark.parametrize("g", [6, 20])
def test_what_hangs_on_pairs_is_counted_once(g):
    """Sums over pairs of groups: the variance is 2 / (g (g - 1)), the plain jackknife says about twice that."""
    rng = np.random.default_rng(3)
    once, plain = [], []
    for _ in range(3_000):
        b = np.triu(rng.standard_normal((g, g)), 1)
        b += b.T

        def value(out, b=b):
            rest = np.delete(np.delete(b, out, axis=0), out, axis=1)
            return rest.sum() / (len(rest) * (len(rest) - 1))

        without = np.array([value([i]) for i in range(g)])
        two = np.array([value([i, j]) for i, j in jk.pairs(g)])
        variance = (g - 1) / g * ((without - without.mean()) ** 2).sum()
        plain.append(variance)
        once.append(variance - jk.counted_twice(value([]), without, two))
    true = 2 / (g * (g - 1))
    assert np.mean(plain) == pytest.approx(4 / (g * (g - 2)), rel=0.06)
    assert np.mean(once) == pytest.approx(true, rel=0.12)


def test_a_sum_over_rows_loses_nothing():
    """Means have no part that hangs on pairs: the second differences are 0."""
    values = np.random.default_rng(4).standard_normal(20)
    without = [np.delete(values, i).mean() for i in range(20)]
    two = [np.delete(values, pair).mean() for pair in map(list, jk.pairs(20))]
    assert jk.counted_twice(values.mean(), without, two) == pytest.approx(0.0, abs=1e-20)


def test_what_is_counted_twice_is_taken_off_once():
    plain = jk.jackknife(1.0, WITHOUT, (-9, 9))
    variance = ((plain[1] - 1.0) / jk.student_quantile(0.975, len(WITHOUT) - 1)) ** 2
    for taken, left in ((0.2, 0.8), (0.9, 0.5)):  # at most half of it
        short = jk.jackknife(1.0, WITHOUT, (-9, 9), twice=taken * variance)
        assert short[1] - 1.0 == pytest.approx((plain[1] - 1.0) * math.sqrt(left))


def test_most_of_it_counts_only_where_pairs_make_most_of_the_variance():
    def amounts(seed, of_rows):
        rng = np.random.default_rng(seed)
        b, rows = np.triu(rng.standard_normal((20, 20)), 1), rng.standard_normal(20)
        b += b.T

        def value(out):
            rest = np.delete(np.delete(b, out, axis=0), out, axis=1)
            return rest.sum() / (len(rest) * (len(rest) - 1)) + of_rows * np.delete(rows, out).mean()

        without = [value([i]) for i in range(20)]
        two = [value(list(pair)) for pair in jk.pairs(20)]
        return [jk.counted_twice(value([]), without, two, most=most) for most in (False, True)]

    whole, most = np.transpose([amounts(seed, 0.0) for seed in range(20)])
    assert (whole > 0).all()
    assert (most <= whole).all()
    assert most.sum() > 0.7 * whole.sum()
    hardly = np.transpose([amounts(seed, 3.0) for seed in range(20)])
    assert hardly[0] == pytest.approx(whole)
    assert not hardly[1].any()


def test_undefined_values_have_no_pairs():
    assert jk.counted_twice(1.0, [0.9, 1.0, 1.2], [1.0] * 6) == 0.0
    assert jk.counted_twice(1.0, WITHOUT, [math.nan] * (2 * len(WITHOUT))) == 0.0
    assert jk.counted_twice(math.nan, WITHOUT, [1.0] * (2 * len(WITHOUT))) == 0.0
