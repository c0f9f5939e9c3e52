"""What each measure declares about itself, tried on random lists: a new measure is covered by registering it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neighbor_lists import listed, lists

from embdiff import exact
from embdiff.measures import list_measures
from embdiff.records import Neighbors

BY_NEEDS = {}
for _measure in list_measures():
    BY_NEEDS.setdefault(_measure.needs, []).append(_measure)
two_lists = pytest.mark.parametrize("measure", BY_NEEDS["two neighbors"], ids=lambda measure: measure.name)


@two_lists
@settings(max_examples=60, deadline=None)
@given(lists(), st.randoms(use_true_random=False))
def test_range_symmetry_and_invariances(measure, drawn, random):
    _, (a, b) = drawn
    values = measure.function(a, b)
    assert values.shape == (len(a.rows),)
    assert values.dtype == np.float64
    known = values[~np.isnan(values)]
    assert ((known >= measure.range[0]) & (known <= measure.range[1])).all()
    assert (np.isnan(values) == ((a.rows < 0).all(axis=1) & (b.rows < 0).all(axis=1))).all()
    if measure.symmetric:
        np.testing.assert_array_equal(values, measure.function(b, a))
    order = list(range(len(a.rows)))
    random.shuffle(order)
    np.testing.assert_array_equal(measure.function(listed(a.rows[order]), listed(b.rows[order])), values[order])
    if "order of the neighbours within a list" in measure.invariances:
        columns = list(range(a.k))
        random.shuffle(columns)
        np.testing.assert_array_equal(measure.function(listed(a.rows[:, columns]), b), values)


@two_lists
@settings(max_examples=30, deadline=None)
@given(lists(count=1, pads=False))
def test_a_list_and_itself_reach_the_top(measure, drawn):
    _, (a,) = drawn
    assert (measure.function(a, a) == measure.range[1]).all()


@two_lists
def test_all_other_rows_as_neighbours_give_the_top(measure):
    """k = n - 1: both lists hold every other row, whatever the models."""
    rng = np.random.default_rng(0)
    spaces = [rng.standard_normal((12, dim)).astype(np.float32) for dim in (4, 7)]
    a, b = (exact.search(space, space, 11, "cosine", leave_out=np.arange(12)) for space in spaces)
    assert (measure.function(a, b) == 1.0).all()


@two_lists
@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_rotation_and_scaling_of_the_space_change_nothing(measure, metric):
    rng = np.random.default_rng(1)
    space, other = (rng.standard_normal((80, 6)) for _ in range(2))
    turned = space @ np.linalg.qr(rng.standard_normal((6, 6)))[0] * 3.5 + (10 if metric == "l2" else 0)
    a, b, c = (
        exact.search(v, v, 5, metric, leave_out=np.arange(80))
        for v in (x.astype(np.float32) for x in (space, turned, other))
    )
    assert (measure.function(a, b) == 1.0).all()
    np.testing.assert_array_equal(measure.function(a, c), measure.function(b, c))


@pytest.mark.parametrize("measure", BY_NEEDS["returned + exact neighbors"], ids=lambda measure: measure.name)
@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_measures_of_an_index_give_the_exact_answer_the_top(measure, metric):
    vectors = np.random.default_rng(2).standard_normal((60, 5)).astype(np.float32)
    found = exact.search(vectors, vectors, 7, metric, leave_out=np.arange(60))
    assert (measure.function(found, found, found.similarity) == measure.range[1]).all()
    nothing = Neighbors(np.full_like(found.rows, -1), np.full_like(found.similarity, np.nan), metric, "flat")
    assert (measure.function(nothing, found, nothing.similarity) == measure.range[0]).all()
