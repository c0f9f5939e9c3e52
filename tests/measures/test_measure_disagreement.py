"""Disagreement by hand, against loops, and at the edges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from neighbor_lists import listed, lists

from embdiff import exact
from embdiff.errors import ShapeError
from embdiff.measures import places as places_module
from embdiff.measures.disagreement import (
    item_disagreement,
    item_switches,
    most_disputed,
    query_disagreement,
)
from embdiff.measures.hubs import occurrences
from embdiff.measures.overlap import overlap
from embdiff.measures.places import ranks_of
from embdiff.measures.rbo import rbo
from embdiff.records import Answer, ElsewhereRows


def nothing_elsewhere(queries):
    rows = np.full((queries, 0), -1, dtype=np.int64)
    return ElsewhereRows(rows, rows, np.zeros(rows.shape, dtype=np.float32))


def answer(rows, elsewhere=None, ranks=None):
    found = listed(rows)
    there = nothing_elsewhere(len(found.rows))
    if elsewhere is not None:
        there = ElsewhereRows(np.array(elsewhere), np.array(ranks), np.zeros(np.shape(ranks), dtype=np.float32))
    return Answer("m", "m", found, found, np.zeros(found.rows.shape, dtype=bool), there)


def test_queries_by_hand():
    a, b, c = listed([[0, 1], [0, 1], [-1, -1]]), listed([[1, 0], [2, 3], [-1, -1]]), listed([[0, 2], [0, 1], [4, -1]])
    np.testing.assert_array_equal(query_disagreement([(a, b)], overlap), [0.0, 1.0, math.nan])
    # Pairs a-b, a-c, b-c; the third query has a value in two of them.
    np.testing.assert_allclose(query_disagreement([(a, b), (a, c), (b, c)], overlap), [1 / 3, 2 / 3, 1.0])
    np.testing.assert_array_equal(query_disagreement([(a, b)]), 1 - rbo(a, b))


def test_items_by_hand():
    a, b = listed([[0, 1], [0, 2], [0, -1], [3, 1]]), listed([[0, 3], [1, 2], [1, 3], [3, 1]])
    np.testing.assert_array_equal(occurrences(a.rows, 5), [3, 2, 1, 1, 0])
    np.testing.assert_array_equal(occurrences(b.rows, 5), [1, 3, 1, 3, 0])
    np.testing.assert_array_equal(item_disagreement([(a, b)], 5), [0.5, 0.25, 0, 0.5, 0])
    np.testing.assert_array_equal(item_disagreement([(a, b), (a, a)], 5), [0.25, 0.125, 0, 0.25, 0])
    assert np.isnan(item_disagreement([(listed(np.zeros((0, 2))),) * 2], 3)).all()


def test_switches_by_hand():
    # Query 0: row 1 is 5th in b, row 3 is 4th in a. Query 1: row 0 is 3rd in b, row 1 is unknown in a.
    a = answer([[0, 1], [0, 2], [4, 1]], elsewhere=[[3, -1], [-1, -1], [-1, -1]], ranks=[[4, -1], [-1, -1], [-1, -1]])
    b = answer([[0, 3], [1, 2], [1, 4]], elsewhere=[[1, -1], [0, -1], [-1, -1]], ranks=[[5, -1], [3, -1], [-1, -1]])
    found = item_switches(a, b, 6)
    np.testing.assert_array_equal(found.both, [1, 1, 1, 0, 1, 0])
    np.testing.assert_array_equal(found.only_first, [1, 1, 0, 0, 0, 0])
    np.testing.assert_array_equal(found.only_second, [0, 1, 0, 1, 0, 0])
    # Row 0: 0 and |1 - 3|. Row 1: |2 - 5| and |2 - 1|. Row 2 stays 2nd. Row 3: |4 - 2|. Row 4: |1 - 2|.
    np.testing.assert_array_equal(found.place_change, [1, 2, 0, 2, 1, math.nan])
    mirrored = item_switches(b, a, 6)
    np.testing.assert_array_equal(mirrored.place_change, found.place_change)
    np.testing.assert_array_equal(mirrored.only_first, found.only_second)


@settings(max_examples=60, deadline=None)
@given(lists(count=3))
def test_against_loops(drawn):
    n, (a, b, c) = drawn
    pairs = [(a, b), (a, c), (b, c)]
    values = query_disagreement(pairs, overlap)
    for row, value in enumerate(values):
        each = []
        for x, y in pairs:
            one, two = ({*lines.rows[row].tolist()} - {-1} for lines in (x, y))
            if one | two:
                each.append(1 - len(one & two) / a.k)
        assert value == pytest.approx(np.mean(each)) if each else math.isnan(value)
    assert (values[~np.isnan(values)] <= 1).all()
    items = item_disagreement(pairs, n)
    by_loop = [
        np.mean([abs((x.rows == row).sum() - (y.rows == row).sum()) / len(a.rows) for x, y in pairs])
        for row in range(n)
    ]
    np.testing.assert_allclose(items, by_loop)
    order = np.arange(len(a.rows))[::-1]
    turned = [(listed(x.rows[order]), listed(y.rows[order])) for x, y in pairs]
    np.testing.assert_allclose(query_disagreement(turned, overlap), values[order])
    np.testing.assert_allclose(item_disagreement([(y, x) for x, y in pairs], n), items)
    same = query_disagreement([(a, a)])
    np.testing.assert_allclose(same[~np.isnan(same)], 0, atol=1e-12)


@pytest.mark.parametrize("chunk", [2**18, 40])
def test_ranks_are_the_exact_ones(chunk, monkeypatch):
    monkeypatch.setattr(places_module, "_CHUNK", chunk)
    rng = np.random.default_rng(3)
    x, y = (rng.standard_normal((50, dim)).astype(np.float32) for dim in (4, 6))
    own = np.arange(50)
    a, b = (exact.search(v, v, 5, "cosine", leave_out=own) for v in (x, y))
    every = exact.ranks(y, y, a.rows, "cosine", leave_out=own)
    held = (a.rows[:, :, None] == b.rows[:, None, :]).any(axis=2)
    elsewhere = ElsewhereRows(np.where(held, -1, a.rows), np.where(held, -1, every), a.similarity)
    np.testing.assert_array_equal(ranks_of(a.rows, b, elsewhere), every)
    unknown = ranks_of(a.rows, b, nothing_elsewhere(50))
    np.testing.assert_array_equal(unknown, np.where(held, every, -1))
    padded = np.where(held, a.rows, -1)
    np.testing.assert_array_equal(ranks_of(padded, b, elsewhere), np.where(held, every, -1))


def test_most_disputed_comes_first_and_the_undefined_are_left_out():
    np.testing.assert_array_equal(most_disputed([0.1, math.nan, 0.9, 0.1, 1.0]), [4, 2, 0, 3])
    np.testing.assert_array_equal(most_disputed([0.1, math.nan, 0.9], 1), [2])
    assert most_disputed([]).size == 0


def test_what_does_not_fit_is_refused():
    a, b = listed([[0, 1]]), listed([[0, 1, 2]])
    with pytest.raises(ShapeError, match=r"Got no pair\. Search the same queries"):
        query_disagreement([])
    with pytest.raises(ShapeError, match=r"Got \[\(1, 2\), \(1, 3\)\]"):
        item_disagreement([(a, b)], 3)
    with pytest.raises(ShapeError, match=r"of the same queries\. Got 2, 1 and 1\."):
        ranks_of(np.zeros((2, 1), dtype=np.int64), a, nothing_elsewhere(1))
