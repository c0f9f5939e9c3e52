"""All stores give the same answers to data and questions that hypothesis makes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_worlds import METRICS, by_hand, corpus_of, spec_of

from embdiff.records import FloatArray, Metric
from embdiff.stores import get_store
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.placing import place
from embdiff.stores.store import Store

# Small data of any shape, made by hypothesis; integers, so that inner products and distances are exact


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Store]]:
    with (
        get_store("memory:") as memory,
        get_store(f"milvus:{tmp_path_factory.mktemp('any') / 'vectors.db'}") as lite,
    ):
        yield memory, lite


@st.composite
def searches(draw: st.DrawFn) -> tuple[FloatArray, FloatArray, int, Metric]:
    rows, dim = draw(st.integers(1, 30)), draw(st.integers(2, 5))
    metric = draw(st.sampled_from(METRICS))
    vector = st.lists(st.integers(-2, 2), min_size=dim, max_size=dim).filter(any)
    table = draw(st.lists(vector, min_size=rows + 3, max_size=rows + 3))
    vectors = np.array(table, dtype=np.float32)
    return vectors[:rows], vectors[rows:], draw(st.integers(1, 12)), metric


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(searches())
def test_lite_answers_as_memory_does(both: Sequence[Store], case: tuple[FloatArray, FloatArray, int, Metric]) -> None:
    vectors, queries, k, metric = case
    spec = spec_of("any", vectors, metric, data=json.dumps(vectors.tolist()))
    memory, lite = (place(store, spec, corpus_of(len(vectors)), vectors) and store for store in both)
    expected, found = memory.search(spec, queries, k), lite.search(spec, queries, k)
    np.testing.assert_allclose(found.similarity, expected.similarity, rtol=1e-5, atol=1e-6)
    if metric != "cosine":  # rounding of norms may order equal cosines differently
        np.testing.assert_array_equal(found.rows, expected.rows)
    assert np.array_equal(found.rows >= 0, expected.rows >= 0)


# The same collections in every store, questions of any kind: a collection costs a server seconds, a question nothing


def difficult() -> tuple[FloatArray, tuple[str, ...]]:
    """Rows with norms from 0.01 to 10,000, many of them twice, under ids of all scripts."""
    numbers = np.random.default_rng(11)
    vectors = numbers.integers(-3, 4, (80, 4)).astype(np.float32)
    vectors[~vectors.any(axis=1)] = 1
    vectors *= (10.0 ** numbers.integers(-2, 5, (80, 1)) / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f4")
    vectors[60:] = vectors[:20]
    return vectors, tuple(
        f"{script}{row}" for row, script in enumerate(("汉", "ü", "مفتاح", "👩\u200d🎤", "' OR 1=1 --") * 16)
    )


@pytest.fixture(scope="module")
def same_everywhere(store: Store) -> Iterator[Callable[[Metric], tuple[CollectionSpec, Store]]]:
    vectors, ids = difficult()
    corpus, placed = corpus_of(80, ids=ids), {}
    with get_store("memory:") as memory:

        def get(metric: Metric) -> tuple[CollectionSpec, Store]:
            if metric not in placed:
                placed[metric] = spec_of(f"difficult_{metric}", vectors, metric)
                for each in (memory, store):
                    place(each, placed[metric], corpus, vectors)
            return placed[metric], memory

        yield get


@st.composite
def questions(draw: st.DrawFn) -> tuple[FloatArray, int, Metric]:
    vector = st.lists(st.integers(-3, 3), min_size=4, max_size=4).filter(any)
    directions = draw(st.lists(vector, min_size=1, max_size=6))
    length = 10.0 ** draw(st.integers(-2, 4))
    return (length * np.array(directions)).astype(np.float32), draw(st.integers(1, 90)), draw(st.sampled_from(METRICS))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(questions())
def test_every_store_answers_as_memory_does(
    store: Store, same_everywhere: Any, case: tuple[FloatArray, int, Metric]
) -> None:
    queries, k, metric = case
    spec, memory = same_everywhere(metric)
    vectors, _ = difficult()
    truth = by_hand(queries, vectors, metric)
    expected, found = memory.search(spec, queries, k), store.search(spec, queries, k)
    order = np.argsort(-truth, axis=1)[:, :k]
    best = np.take_along_axis(truth, order, 1)
    lengths = np.linalg.norm(vectors, axis=1)
    for answer in (expected, found):
        assert answer.rows.shape == (len(queries), k)
        rows = answer.rows[:, : best.shape[1]]
        assert np.all(answer.rows[:, best.shape[1] :] == -1)
        assert all(len(set(row)) == len(row) and row.min() >= 0 for row in rows)
        # Products are in float32: what two rows may differ by and still count as equally near.
        longest = np.maximum(lengths[rows], lengths[order]).max(axis=1, keepdims=True)
        size = 1 if metric == "cosine" else (np.linalg.norm(queries, axis=1, keepdims=True) + longest) ** 2
        rounding = 2e-6 * size
        assert np.all(np.abs(np.take_along_axis(truth, rows, 1) - best) <= rounding)
        assert np.all(np.abs(answer.similarity[:, : best.shape[1]] - best) <= rounding)
