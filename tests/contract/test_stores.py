"""How every store searches, the same tests for all: memory, Milvus Lite, LanceDB, a real Milvus server."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from store_worlds import METRICS, POINTS, QUERIES, by_hand, nearest_by_hand

from embdiff.errors import ParameterError, ShapeError, StoreError
from embdiff.records import Metric
from embdiff.stores import _lists
from embdiff.stores.memory import MemoryStore
from embdiff.stores.store import Store


@pytest.mark.parametrize("metric", METRICS)
def test_flat_is_exact(store: Store, points: Any, metric: Metric) -> None:
    found = store.search(points(metric), QUERIES, 10)
    truth = by_hand(QUERIES, POINTS, metric)
    rows = nearest_by_hand(truth, 10)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.similarity, np.take_along_axis(truth, rows, 1), rtol=2e-6, atol=2e-6)
    assert (found.rows.dtype, found.similarity.dtype) == (np.int64, np.float32)
    assert (found.metric, found.index) == (metric, "flat")
    if metric == "l2":
        assert np.all(found.distance >= 0)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 5, 11])
def test_equal_vectors_stand_by_row_also_where_the_list_ends(store: Store, points: Any, metric: Metric, k: int) -> None:
    equal = [3, *range(30, 40)]
    query = POINTS[3:4] * (10 if metric == "ip" else 1)
    truth = by_hand(query, POINTS, metric)
    found = store.search(points(metric), query, k)
    np.testing.assert_array_equal(found.rows, nearest_by_hand(truth, k))
    if metric != "ip":
        assert found.rows[0].tolist() == equal[:k]


def test_k_may_be_all_rows(store: Store, points: Any) -> None:
    found = store.search(points("cosine"), QUERIES, 60)
    np.testing.assert_array_equal(np.sort(found.rows, axis=1), np.tile(np.arange(60), (80, 1)))


def test_short_lists_are_padded(store: Store, points: Any) -> None:
    found = store.search(points("l2"), QUERIES[:3], 63)
    assert found.rows.shape == (3, 63)
    assert np.all(found.rows[:, 60:] == -1)
    assert np.all(np.isnan(found.similarity[:, 60:]))
    assert np.all(found.rows[:, :60] >= 0)


def test_a_flat_search_that_leaves_rows_out_is_refused(
    store: Store, points: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(store, MemoryStore):
        pytest.skip("memory: is no database that could")
    spec, real = points("l2"), _lists.in_calls

    def in_calls(*arguments: Any) -> Any:
        rows, similarity = real(*arguments)
        rows[1, -2:], similarity[1, -2:] = -1, np.nan
        return rows, similarity

    monkeypatch.setattr(_lists, "in_calls", in_calls)
    wanted = r"must find as many rows as it is asked for\. Got 58 of 60 for query 1 from points_l2 in .*left rows out"
    with pytest.raises(StoreError, match=wanted):
        store.search(spec, QUERIES[:3], 63)


@pytest.mark.parametrize("count", [0, 1, 23])
def test_any_number_of_queries(store: Store, points: Any, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{type(store).__module__}._QUERIES_PER_CALL", 7, raising=False)
    whole = store.search(points("ip"), QUERIES[:count], 4)
    assert whole.rows.shape == (count, 4)
    np.testing.assert_array_equal(whole.rows, nearest_by_hand(by_hand(QUERIES[:count], POINTS, "ip"), 4))


def test_search_refuses_queries_that_fit_no_answer(store: Store, points: Any) -> None:
    spec = points("cosine")
    with pytest.raises(ShapeError, match=r"must be dense, of dimension 8\. Got dense ones of 9\."):
        store.search(spec, np.ones((1, 9), np.float32), 3)
    with pytest.raises(ParameterError, match=r"must be finite\. Got one that is not in query 1, 1 in all"):
        store.search(spec, np.array([[1.0] * 8, [np.nan] * 8], np.float32), 3)
    with pytest.raises(ParameterError, match=r"other than zero for the metric cosine .* in query 0"):
        store.search(spec, np.zeros((1, 8), np.float32), 3)
    with pytest.raises(ParameterError, match=r"k must be between 1 and"):
        store.search(spec, QUERIES, 0)
    assert store.search(points("l2"), np.zeros((1, 8), np.float32), 3).rows.shape == (1, 3)
