"""The mixing of groups, counted by hand."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neighbor_lists import listed, lists

from embdiff._plain import reader
from embdiff.errors import ShapeError
from embdiff.measures import Mixing, mixing

GROUPS = ["b", "b", "a", "a", "a"]


def test_by_hand():
    found = listed([[1, 2], [0, 4], [3, 4], [2, -1], [0, 1]])
    result = mixing(found, GROUPS, GROUPS, left_out=True)
    assert result.groups == ("b", "a")
    assert (result.rows, result.queries) == ((2, 3), (2, 3))
    assert result.counts == ((2, 2), (2, 3))
    assert result.share == ((0.5, 0.5), (0.4, 0.6))
    assert result.chance == ((1 / 4, 3 / 4), (2 / 4, 2 / 4))


def test_given_queries_with_other_groups_and_none():
    found = listed([[0, 2], [2, 3], [-1, -1]])
    result = mixing(found, GROUPS, ["c", None, "a"], left_out=False)
    assert result.groups == ("b", "a", "c")
    assert result.queries == (0, 1, 1)
    assert result.counts == ((0, 0, 0), (0, 0, 0), (1, 1, 0))
    assert result.share[2] == (0.5, 0.5, 0.0)
    assert np.isnan(result.share[0] + result.share[1]).all()
    assert result.chance[0] == (2 / 5, 3 / 5, 0.0)
    raw = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert raw["share"][0] == [None, None, None]
    again = reader(Mixing).validate_python(raw)
    np.testing.assert_array_equal(again.share, result.share)
    assert (again.groups, again.counts, again.chance, again.rows) == (
        result.groups,
        result.counts,
        result.chance,
        result.rows,
    )


@settings(max_examples=60, deadline=None)
@given(lists(count=1), st.booleans(), st.randoms(use_true_random=False))
def test_against_a_loop(drawn, left_out, random):
    n, (found,) = drawn
    of_row = [random.choice("xyz") for _ in range(n)]
    of_query = [random.choice("xyz") for _ in found.rows]
    result = mixing(found, of_row, of_query, left_out=left_out)
    for g, from_group in enumerate(result.groups):
        returned = [
            of_row[r] for line, q in zip(found.rows, of_query, strict=True) if q == from_group for r in line if r >= 0
        ]
        for h, to_group in enumerate(result.groups):
            assert result.counts[g][h] == returned.count(to_group)
            share = result.share[g][h]
            assert share == returned.count(to_group) / len(returned) if returned else math.isnan(share)


def test_expected_shares_add_up():
    result = mixing(listed([[1], [0], [3], [4], [2]]), GROUPS, GROUPS, left_out=True)
    np.testing.assert_allclose(np.sum(result.chance, axis=1), 1)
    np.testing.assert_allclose(np.sum(result.share, axis=1), 1)


def test_groups_that_do_not_fit():
    with pytest.raises(ShapeError, match="Got 2 groups of queries and 5 of rows"):
        mixing(listed([[1]]), GROUPS, ["a", "b"], left_out=False)
    with pytest.raises(ShapeError, match="Got 1 groups of queries and 5 of rows"):
        mixing(listed([[5]]), GROUPS, ["a"], left_out=False)
