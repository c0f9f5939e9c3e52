"""A few queries: their products looked through here give the answer that faiss's candidates give."""

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
    monkeypatch.setattr(_candidates, "_FEWEST", 1)
    monkeypatch.setattr(_candidates, "_LEAST_ROWS", 2)
    monkeypatch.setattr(_candidates, "_NUMBERS", 300)
    taken = []
    through = _knn.of_few
    monkeypatch.setattr(_knn, "of_few", lambda task, wanted: taken.append(1) or through(task, wanted))
    yield taken
    assert taken  # else the tests below would not test what they say


def same_as_by_faiss(queries, vectors, k, metric, leave_out=None):
    found = exact.search(queries, vectors, k, metric, leave_out=leave_out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_knn, "are_few", lambda queries, dim, rows: False)
        expected = exact.search(queries, vectors, k, metric, leave_out=leave_out)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.similarity, expected.similarity)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("rows", [8, 17, 200, 1_003])
@pytest.mark.parametrize("queries", [1, 20, 33])
def test_any_number_of_tiles(small_tiles, metric, rows, queries):
    rng = np.random.default_rng(rows)
    vectors = rng.standard_normal((rows, 12)).astype(np.float32)
    asked = rng.standard_normal((queries, 12)).astype(np.float32)
    same_as_by_faiss(asked, vectors, 5, metric, np.arange(queries) % rows)
    same_as_by_faiss(asked, vectors, rows, metric)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    vectors=repeated_rows(),
    asked=st.integers(0, 2**32 - 1),
    metric=st.sampled_from(METRICS),
    k=st.integers(1, 30),
)
def test_duplicates_ties_and_norms_to_ten_thousand(small_tiles, vectors, asked, metric, k):
    queries = vectors[np.random.default_rng(asked).integers(0, ROWS, 25)]
    same_as_by_faiss(queries, vectors, k, metric)


@pytest.mark.parametrize("order", [1, -1])
def test_sorted_rows(small_tiles, order):
    """The best come last, or first: every tile passes something, or only one does."""
    angles = np.sort(np.random.default_rng(3).uniform(0, 1.5, 700))[::order]
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    same_as_by_faiss(np.repeat([[0.0, 1.0]], 21, axis=0).astype(np.float32), vectors, 6, "cosine")


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e6, 1e15])
@pytest.mark.parametrize("metric", METRICS)
def test_very_long_and_very_short_vectors(small_tiles, metric, scale):
    vectors = (np.random.default_rng(0).standard_normal((200, 20)) * scale).astype(np.float32)
    same_as_by_faiss(vectors[:30], vectors, 5, metric)


def test_by_size():
    assert _candidates.are_few(100, 384, 100_000)
    assert not _candidates.are_few(19, 384, 100_000)
    assert not _candidates.are_few(100, 384, 9_999)
    assert not _candidates.are_few(400, 384, 100_000)
    assert not _candidates.are_few(2_000, 2, 100_000)


def test_real_size_against_asking_many_together():
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((12_000, 64)).astype(np.float32)
    queries = rng.standard_normal((2_000, 64)).astype(np.float32)
    expected = exact.search(queries, vectors, 10, "l2")
    found = exact.search(queries[:300], vectors, 10, "l2")
    np.testing.assert_array_equal(found.rows, expected.rows[:300])
    np.testing.assert_array_equal(found.similarity, expected.similarity[:300])
