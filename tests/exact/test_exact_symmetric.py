"""All pairs of a table with itself: each pair multiplied once, the answer that asking one by one gives."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repeated_rows import ROWS, repeated_rows

from embdiff import exact
from embdiff.exact import _candidates, _knn

METRICS = ("cosine", "ip", "l2")


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(_candidates, "_TILE", 16)
    monkeypatch.setattr(_candidates, "_SAMPLE", 8)
    monkeypatch.setattr(_candidates, "_LEAST_PAIRED", 2)
    monkeypatch.setattr(_candidates, "_MOST_WANTED", 1_000)
    taken = []
    through = _knn.of_all_pairs
    monkeypatch.setattr(_knn, "of_all_pairs", lambda task, wanted: taken.append(1) or through(task, wanted))
    yield taken
    assert taken  # else the tests below would not test what they say


def one_by_one(vectors, k, metric, leave_out):
    """Ask with the rows in another order, which is never taken for the table itself."""
    order = np.random.default_rng(1).permutation(len(vectors))
    order = order if (vectors[order] != vectors).any() else order[: len(order) // 2]
    found = exact.search(vectors[order], vectors, k, metric, leave_out=None if leave_out is None else leave_out[order])
    return order, found


def same_as_one_by_one(vectors, k, metric, leave_out):
    found = exact.search(vectors, vectors.copy(), k, metric, leave_out=leave_out)
    order, expected = one_by_one(vectors, k, metric, leave_out)
    np.testing.assert_array_equal(found.rows[order], expected.rows)
    np.testing.assert_array_equal(found.similarity[order], expected.similarity)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("rows", [16, 17, 100, 160])
@pytest.mark.parametrize("unit", [False, True])
def test_any_number_of_tiles(small_tiles, metric, rows, unit):
    vectors = np.random.default_rng(rows).standard_normal((rows, 12)).astype(np.float32)
    if unit:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    same_as_one_by_one(vectors, 5, metric, np.arange(rows))
    same_as_one_by_one(vectors, rows, metric, None)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(vectors=repeated_rows(), metric=st.sampled_from(METRICS), k=st.integers(1, 30))
def test_duplicates_ties_and_norms_to_ten_thousand(small_tiles, vectors, metric, k):
    same_as_one_by_one(vectors, k, metric, np.arange(ROWS))


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e6, 1e15])
@pytest.mark.parametrize("metric", METRICS)
def test_very_long_and_very_short_vectors(small_tiles, metric, scale):
    vectors = (np.random.default_rng(0).standard_normal((200, 20)) * scale).astype(np.float32)
    same_as_one_by_one(vectors, 5, metric, np.arange(200))


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_zero_rows(small_tiles, metric):
    vectors = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    vectors[[3, 30]] = 0
    same_as_one_by_one(vectors, 7, metric, np.arange(50))


def test_rows_left_out_need_not_be_their_own(small_tiles):
    vectors = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    other = np.random.default_rng(1).integers(-1, 50, 50)
    same_as_one_by_one(vectors, 7, "cosine", other)


def test_sorted_rows_raise_every_threshold_late(small_tiles):
    """The best partners come last in the order of the tiles: every tile passes something."""
    angles = np.sort(np.random.default_rng(3).uniform(0, 1.5, 200))
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    same_as_one_by_one(vectors, 6, "cosine", np.arange(200))


def test_by_size_and_k():
    assert _candidates.pairs_pay(20_000, 11)
    assert not _candidates.pairs_pay(19_999, 11)
    assert not _candidates.pairs_pay(100_000, 101)


def test_real_size_against_asking_some_rows():
    vectors = np.random.default_rng(5).standard_normal((21_000, 16)).astype(np.float32)
    found = exact.search(vectors, vectors, 10, "cosine", leave_out=np.arange(21_000))
    some = np.arange(0, 21_000, 20)
    expected = exact.search(vectors[some], vectors, 10, "cosine", leave_out=some)
    np.testing.assert_array_equal(found.rows[some], expected.rows)
    np.testing.assert_array_equal(found.similarity[some], expected.similarity)
