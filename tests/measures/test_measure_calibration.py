"""Calibration by hand, shuffled neighbours against a new search, and the level under a true null."""

import json
import math

import numpy as np
import pytest
from neighbor_lists import listed

from embdiff import exact
from embdiff._plain import reader
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.calibration import Calibration, calibrate, shuffled
from embdiff.measures.overlap import overlap
from embdiff.measures.spread import second_order_cosine


def scripted(observed, null):
    """A measure that gives the observed value first, then those of the null."""
    values = iter([observed, *null])
    return lambda order: next(values)


def test_by_hand():
    """K = 19, alpha = .05: tau is the 19th of 20 values, sorted; here .18, below the observed .6."""
    null = [i / 100 for i in range(19)]
    found = calibrate(scripted(0.6, null), 5, ("a", "b"), measure="m", seed=0, permutations=19)
    assert (found.observed, found.threshold, found.p) == (0.6, 0.18, 1 / 20)
    assert found.calibrated == pytest.approx((0.6 - 0.18) / (1 - 0.18))
    assert (found.null_mean, found.null_sd) == pytest.approx((np.mean(null), np.std(null, ddof=1)))
    low = calibrate(scripted(0.05, null), 5, ("a", "b"), measure="m", seed=0, permutations=19)
    assert (low.calibrated, low.p) == (0.0, (1 + 14) / 20)
    top = calibrate(scripted(1.0, null), 5, ("a", "b"), measure="m", seed=0, permutations=19)
    assert top.calibrated == 1.0


@pytest.mark.parametrize(("permutations", "alpha", "place"), [(199, 0.05, 190), (200, 0.05, 191), (99, 0.1, 90)])
def test_which_value_is_the_threshold(permutations, alpha, place):
    null = [i / 1_000 for i in range(1, permutations + 1)]
    found = calibrate(
        scripted(0.9, null[::-1]), 5, ("a", "b"), measure="m", seed=0, permutations=permutations, alpha=alpha
    )
    assert found.threshold == pytest.approx(place / 1_000)


def test_distances_are_turned_round():
    null = [2 + i / 100 for i in range(19)]
    found = calibrate(
        scripted(0.5, null), 5, ("a", "b"), measure="d", seed=0, permutations=19, best=0.0, agreement="low"
    )
    assert (found.observed, found.threshold, found.p) == (0.5, pytest.approx(2.0), 1 / 20)
    assert found.calibrated == pytest.approx((2.0 - 0.5) / 2.0)
    assert found.null_mean == pytest.approx(2.09)


def test_what_is_undefined():
    nan = math.nan
    found = calibrate(scripted(nan, [0.1] * 3), 5, ("a", "b"), measure="m", seed=0, permutations=3)
    assert found.reason == "the observed value is undefined"
    assert found.to_dict()["p"] is None
    found = calibrate(scripted(0.5, [nan] * 3), 5, ("a", "b"), measure="m", seed=0, permutations=3)
    assert (found.reason, found.permutations) == ("the values of all shuffled rows are undefined", 0)
    found = calibrate(scripted(0.5, [nan, 0.2, 0.1]), 5, ("a", "b"), measure="m", seed=0, permutations=3)
    assert (found.p, found.permutations) == (1 / 3, 2)
    assert found.reason == "1 of 3 shuffled values are undefined and are left out"
    found = calibrate(scripted(1.0, [1.0] * 3), 5, ("a", "b"), measure="m", seed=0, permutations=3)
    assert (found.p, found.to_dict()["calibrated"]) == (1.0, None)
    assert found.reason == "shuffled rows reach the best value too: there is no calibrated value"


def test_numbers_out_of_range():
    for rows, permutations, alpha in ((1, 5, 0.05), (5, 0, 0.05), (5, 5, 1.0)):
        with pytest.raises(ParameterError, match=r"at least 2 rows, 1 permutation .*Got"):
            calibrate(len, rows, ("a", "b"), measure="m", seed=0, permutations=permutations, alpha=alpha)
    with pytest.raises(ParameterError, match=r"No value of m may be beyond the best one, 1\. Got 5"):
        calibrate(len, 5, ("a", "b"), measure="m", seed=0, permutations=2)
    with pytest.raises(ParameterError, match=r"beyond the best one, 0\. Got -1\."):
        calibrate(lambda order: -1, 5, ("a", "b"), measure="m", seed=0, permutations=2, best=0, agreement="low")


def test_shuffled_neighbours_are_those_of_the_shuffled_space():
    rng = np.random.default_rng(0)
    space = rng.standard_normal((50, 6)).astype(np.float32)
    own, order = np.arange(50), rng.permutation(50)
    found = exact.search(space, space, 7, "cosine", leave_out=own)
    moved = exact.search(space[order], space[order], 7, "cosine", leave_out=own)
    np.testing.assert_array_equal(shuffled(found, order).rows, moved.rows)
    np.testing.assert_array_equal(shuffled(found, order).similarity, moved.similarity)
    np.testing.assert_array_equal(shuffled(found, own).rows, found.rows)
    short = listed([[1, -1], [0, -1], [-1, -1]])
    np.testing.assert_array_equal(shuffled(short, np.array([2, 0, 1])).rows, [[-1, -1], [2, -1], [1, -1]])
    with pytest.raises(ShapeError, match=r"Got 3 lists with rows up to 1, and an order of shape \(2,\)"):
        shuffled(short, np.array([1, 0]))
    with pytest.raises(ShapeError, match=r"Got 1 lists with rows up to 4"):
        shuffled(listed([[4]]), np.array([0]))


def test_overlap_of_related_and_unrelated_spaces():
    rng = np.random.default_rng(1)
    space = rng.standard_normal((300, 16)).astype(np.float32)
    spaces = {
        "near": space + 0.3 * rng.standard_normal((300, 16)).astype(np.float32),
        "far": rng.standard_normal((300, 16)).astype(np.float32),
    }
    a = exact.search(space, space, 10, "cosine", leave_out=np.arange(300))
    found = {}
    for name, other in spaces.items():
        b = exact.search(other, other, 10, "cosine", leave_out=np.arange(300))
        value = lambda order, b=b: float(overlap(a, shuffled(b, order)).mean())  # noqa: E731
        found[name] = calibrate(value, 300, ("x", name), measure="overlap@10", seed=0)
        assert found[name].null_mean == pytest.approx(10 / 299, abs=0.002)
        assert found[name] == calibrate(value, 300, ("x", name), measure="overlap@10", seed=0)
        assert (
            reader(Calibration).validate_python(json.loads(json.dumps(found[name].to_dict(), allow_nan=False)))
            == found[name]
        )
    assert found["near"].p == 1 / 201
    assert 0.5 < found["near"].calibrated < found["near"].observed
    assert found["far"].p > 0.01
    assert found["far"].calibrated < 0.01


def test_second_order_cosine_of_unrelated_spaces_is_high_and_calibrated_to_nothing():
    """What makes calibration worth its time: cosines that are all positive give profiles that are alike."""
    rng = np.random.default_rng(2)
    spaces = [(rng.standard_normal((200, 8)) + 2).astype(np.float32) for _ in range(2)]
    lists = [exact.search(space, space, 10, "cosine", leave_out=np.arange(200)) for space in spaces]

    def value(order):
        other = (spaces[0], spaces[1][order])
        return float(second_order_cosine(lists[0], shuffled(lists[1], order), other, other).mean())

    found = calibrate(value, 200, ("x", "y"), measure="second_order_cosine@10", seed=0, permutations=50)
    assert found.observed > 0.95
    assert found.null_mean == pytest.approx(found.observed, abs=0.02)
    assert found.p > 0.01


@pytest.mark.slow
def test_a_true_null_is_rejected_at_its_level():
    """1,000 pairs of unrelated lists, K = 99: p of .05 or less in 5 % (Monte Carlo error .7 %)."""
    rng = np.random.default_rng(3)
    rejected = 0
    for seed in range(1_000):
        a, b = (listed(rng.permuted(np.tile(np.arange(40), (40, 1)), axis=1)[:, :5]) for _ in range(2))
        found = calibrate(
            lambda order, a=a, b=b: float(overlap(a, shuffled(b, order)).mean()),
            40,
            ("x", "y"),
            measure="overlap@5",
            seed=seed,
            permutations=99,
        )
        rejected += found.p <= 0.05
    print(f"calibration, true null at 5 %: {rejected / 10:.1f} %")
    assert 0.03 <= rejected / 1_000 <= 0.07
