"""What becomes of the query's own row, and where rows stand that only others returned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embdiff.errors import ParameterError
from embdiff.indexes import IndexSpec
from embdiff.own_rows import OwnRows, contains
from embdiff.records import Corpus
from embdiff.search import Searcher, rows_only_elsewhere
from embdiff.stores import get_store
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.placing import place


class _Counting:
    """A store that counts the queries it is asked, and moves its similarities or its rows where told to."""

    def __init__(self, store, moved: float = 0.0, other: int = 0) -> None:
        self.store, self.moved, self.other, self.asked = store, moved, other, []

    def search(self, spec, queries, k):
        self.asked.append(len(queries))
        found = self.store.search(spec, queries, k)
        rows = (found.rows + self.other) % spec.rows
        return replace(found, rows=rows, similarity=found.similarity + np.float32(self.moved))

    def identity(self, name):
        return self.store.identity(name)


def _searcher(
    vectors: np.ndarray, *, index: str = "flat", moved: float = 0.0, other: int = 0, **asked: int
) -> Searcher:
    store = get_store("memory:")
    spec = CollectionSpec("c", vectors.shape[1], "l2", IndexSpec.parse(index), len(vectors), {"model": "m"})
    ids = tuple(map(str, range(len(vectors))))
    place(store, spec, Corpus(ids, ids), vectors)
    return Searcher(_Counting(store, moved, other), spec, vectors, **asked)


def _order(query: np.ndarray, vectors: np.ndarray, gone: set[int]) -> list[int]:
    squared = ((vectors.astype(np.float64) - query.astype(np.float64)) ** 2).sum(axis=1)
    return [
        row for row in sorted(range(len(vectors)), key=lambda row: (np.float32(squared[row]), row)) if row not in gone
    ]


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.booleans())
def test_dropped_rows_are_gone_and_ranks_close_up(seed, k, drop):
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, size=(12, 3)).astype(np.float32)
    own = OwnRows(
        [np.sort(rng.choice(12, size=rng.integers(0, 4), replace=False)).astype(np.int64) for _ in range(5)], drop
    )
    queries = rng.integers(-2, 3, size=(5, 3)).astype(np.float32)
    searcher = _searcher(vectors)
    found = searcher.search(queries, k, own)
    for query in range(5):
        gone = set(own.rows[query].tolist()) if drop else set()
        order = _order(queries[query], vectors, gone)
        assert found.returned.rows[query].tolist() == order[:k]
        assert found.exact.rows[query].tolist() == order[:k]
        assert found.nearest.rows[query, 0] == _order(queries[query], vectors, set())[0]
        assert found.is_self[query].tolist() == [row in own.rows[query] for row in order[:k]]
        rest = np.array([order[k:]], dtype=np.int64)
        only = OwnRows([own.rows[query]], drop)
        place_of = searcher.place_of(queries[query : query + 1], rest, only)
        assert place_of.ranks[0].tolist() == list(range(k + 1, len(order) + 1))


def test_k_is_checked_against_what_is_left():
    own = OwnRows([np.array([0]), np.array([1, 2])], drop=True)
    own.check_k(3, 5)
    with pytest.raises(ParameterError, match=r"between 1 and 3 \(5 rows, 2 left out as the query itself\)\. Got 4"):
        own.check_k(4, 5)


def test_rows_only_elsewhere():
    here = np.array([[1, 2], [3, -1]])
    others = [np.array([[2, 5], [3, 4]]), np.array([[5, 7], [-1, -1]])]
    np.testing.assert_array_equal(rows_only_elsewhere(here, others), [[5, 7], [4, -1]])
    assert rows_only_elsewhere(here, []).shape == (2, 0)


def test_contains_never_finds_padding():
    np.testing.assert_array_equal(contains(np.array([[1, -1]]), np.array([[-1, 1, 2]])), [[False, True, False]])


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ({"most_asked": 7, "seed": 3}, 7),
        ({"most_asked": 40}, 40),
        ({"most_asked": 41}, 40),
        ({}, 40),
        ({"most_asked": 7, "moved": 0.01}, 40),  # other similarities than the exact answer: every query is asked
    ],
)
def test_a_store_that_gives_the_exact_answer_is_asked_a_sample(told, asked):
    vectors = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    searcher = _searcher(vectors, **told)
    queries, own = vectors[:40], OwnRows([np.array([row]) for row in range(40)], drop=True)
    found, every = searcher.search(queries, 5, own), _searcher(vectors).search(queries, 5, own)
    assert found.store_queries == asked
    assert asked in searcher._store.asked
    assert max(searcher._store.asked) == asked
    np.testing.assert_array_equal(found.returned.rows, every.returned.rows)
    np.testing.assert_array_equal(found.exact.rows, every.exact.rows)
    assert found.returned.index == every.returned.index


def test_a_store_that_gives_other_rows_under_the_right_similarities_is_asked_everything():
    vectors = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    own = OwnRows([np.array([], dtype=np.int64)] * 40, drop=False)
    found = _searcher(vectors, other=1, most_asked=7).search(vectors[:40], 5, own)
    assert found.store_queries == 40
    np.testing.assert_array_equal(found.returned.rows, (found.exact.rows + 1) % 60)
