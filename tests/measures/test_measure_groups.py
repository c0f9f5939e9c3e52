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
from embdiff.measures.mixing import joined

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


@pytest.mark.parametrize(("count", "most", "left_out"), [(5, 3, True), (9, 4, False), (12, 8, True), (30, 8, True)])
def test_the_smallest_groups_joined_are_the_matrix_of_one_group(count, most, left_out):
    """The joined matrix is that of labels in which the smallest groups have one name."""
    rng = np.random.default_rng(count)
    groups = [f"g{at}" for at in range(count) for _ in range(2 + (at * 7) % count)]
    rows = len(groups)
    found = listed([rng.permutation([j for j in range(rows) if j != i])[:4] for i in range(rows)])
    whole = mixing(found, groups, groups, left_out=left_out)
    found_joined = joined(whole, most)
    assert joined(whole, count) is whole
    assert len(found_joined.groups) == most
    small = f"{count - most + 1} other groups"
    named = [group if group in found_joined.groups else small for group in groups]
    again = mixing(found, named, named, left_out=left_out)
    order = [again.groups.index(name) for name in found_joined.groups]
    for part in ("counts", "share", "chance"):
        wanted = np.array(getattr(again, part))[np.ix_(order, order)]
        np.testing.assert_allclose(getattr(found_joined, part), wanted, rtol=1e-12, err_msg=part)
    assert found_joined.rows == tuple(again.rows[at] for at in order)
    assert found_joined.queries == tuple(again.queries[at] for at in order)
    assert min(found_joined.rows[:-1]) >= max(
        whole.rows[whole.groups.index(g)] for g in set(groups) - set(found_joined.groups)
    )
