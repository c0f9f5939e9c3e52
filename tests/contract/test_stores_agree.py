"""All stores give the same exact answers to rows and questions that hypothesis makes, and refuse the same rows."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_cases import Case, cases, check_exact, ids_of, vectors_of
from store_worlds import corpus_of, rows_of, spec_of

from embdiff import exact
from embdiff._visible import message
from embdiff.errors import ParameterError
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.placing import place
from embdiff.stores.store import Store

any_data = settings(
    max_examples=25,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)  # fmt: skip


def put(store: Store, case: Case) -> CollectionSpec:
    """Place the rows; on a server into the collection of this metric that is there, emptied: a new one takes 7 seconds.

    What was added to it is searched as it came, or, ``built``, as a part that was written out and indexed.
    """
    corpus, count = corpus_of(len(case.vectors), ids=case.ids), len(case.vectors)
    data = hashlib.sha256(case.vectors.tobytes() + repr(case.ids).encode()).hexdigest()
    spec = spec_of(f"any_{case.metric}", case.vectors, case.metric, data=data)
    if not store.uri.startswith("http") or spec.name not in store.names():
        place(store, spec, corpus, case.vectors)
        return spec
    server: Any = store
    server.ask._client.delete(spec.name, filter="row >= 0")
    store.add(spec.name, rows_of(corpus, np.arange(count), case.vectors))
    if case.built:
        store.build(spec)
        store.load(spec)
    return spec


@any_data
@given(cases())
def test_every_store_answers_exactly_and_gives_back_what_it_got(store: Store, case: Case) -> None:
    spec = put(store, case)
    check_exact(store.search(spec, case.queries, case.k), case)
    there = store.read(spec.name, 0, len(case.vectors) + 1)
    assert there.ids == case.ids
    np.testing.assert_array_equal(there.rows, np.arange(len(case.vectors)))
    np.testing.assert_array_equal(there.vectors, case.vectors)


@any_data
@given(cases())
def test_what_all_stores_are_held_to_is_what_exact_says(case: Case) -> None:
    there = min(case.k, len(case.vectors))
    check_exact(exact.search(case.queries, case.vectors, there, metric=case.metric), case.asking(there))


@st.composite
def with_zeros(draw: st.DrawFn) -> tuple[np.ndarray, tuple[str, ...], list[int]]:
    vectors = draw(vectors_of("cosine", 1, 20))
    zeros = draw(st.sets(st.integers(0, len(vectors) - 1), min_size=1))
    vectors[sorted(zeros)] = draw(st.sampled_from([0.0, -0.0]))
    return vectors, draw(ids_of(len(vectors))), sorted(zeros)


@any_data
@given(with_zeros())
def test_zero_vectors_are_refused_under_cosine_before_anything_is_written(store: Store, case: Any) -> None:
    vectors, ids, zeros = case
    words = (
        "Vectors must be other than zero for the metric cosine (zero has no direction). Got one that is not in {}, "
        f"{len(zeros)} in all. Leave these rows out, or use the metric l2 or ip."
    )
    spec = spec_of("zeros", vectors, "cosine")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("create", "add", "drop", "build", "names"):  # nothing is asked of the store, let alone written
            patch.setattr(store, name, None)
        with pytest.raises(ParameterError) as refused:
            place(store, spec, corpus_of(len(vectors), ids=ids), vectors)
    assert str(refused.value) == message(words.format(f"row {zeros[0]} (id {ids[zeros[0]]!r})"))
    with pytest.raises(ParameterError) as refused:
        store.search(spec, vectors, 1)
    assert str(refused.value) == words.format(f"query {zeros[0]}")
