"""Rows of unequal length in the stores that hold such: weights of sparse vectors, and a vector for each token."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from store_worlds import corpus_of, rows_of

from embdiff.errors import ShapeError
from embdiff.indexes import IndexSpec
from embdiff.records import Corpus, Ragged, Shape
from embdiff.stores.collection import Batch, CollectionSpec
from embdiff.stores.placing import fill, place
from embdiff.stores.store import Store

WIDTH, ROWS = 40, 60
# The server of the tests is Milvus 2.3, which holds no sparse vectors.
HOLDS = {"MemoryStore": (), "LanceStore": ("tokens",), "MilvusStore": ("sparse",), "server": ()}


def ragged(shape: Shape, count: int, seed: int) -> Ragged:
    """Rows of one to nine entries; the rows 30 to 34 are equal to row 3."""
    random = np.random.default_rng(seed)
    counts = random.integers(1, 10, count)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    if shape == "sparse":
        columns = np.concatenate([np.sort(random.choice(WIDTH, size, replace=False)) for size in counts])
        made = Ragged(offsets, random.uniform(0.1, 2.0, offsets[-1]).astype(np.float32), columns.astype(np.int32))
    else:
        values = random.standard_normal((offsets[-1], WIDTH)).astype(np.float32)
        made = Ragged(offsets, values / np.linalg.norm(values, axis=1, keepdims=True))
    order = np.arange(count)
    order[30:35] = 3
    return made.take(order)


def by_hand(shape: Shape, queries: Ragged, rows: Ragged) -> np.ndarray:
    """The score of every row for every query, (q, n), in float64, entry by entry."""
    if shape == "sparse":
        asking, there = (np.zeros((len(each), WIDTH)) for each in (queries, rows))
        for table, each in ((asking, queries), (there, rows)):
            for row, (values, columns) in enumerate(each):
                table[row, columns] = values
        return asking @ there.T
    every = [[row.values.astype(np.float64) for row in each] for each in (queries, rows)]
    return np.array([[(query @ row.T).max(axis=1).sum() for row in every[1]] for query in every[0]])


def spec_of(shape: Shape) -> CollectionSpec:
    return CollectionSpec(f"ragged_{shape}", WIDTH, "ip", IndexSpec.parse("flat"), ROWS, {}, shape)


def part_of(corpus: Corpus, rows: Ragged, start: int, stop: int) -> Batch:
    return rows_of(corpus, np.arange(start, stop), rows)


def shapes_of(store: Store) -> list[Shape]:
    """What the store holds besides dense vectors; a store that says less than it must fails."""
    kind = "server" if store.uri.startswith("http") else type(store).__name__
    assert set(store.shapes) == {"dense", *HOLDS[kind]}
    return sorted(store.shapes - {"dense"})


def test_ragged_rows_are_kept_and_searched_exactly(store: Store) -> None:
    for shape in shapes_of(store):
        rows, queries, spec = ragged(shape, ROWS, 1), ragged(shape, 40, 2), spec_of(shape)
        assert not place(store, spec, corpus_of(ROWS), rows).reused
        assert place(store, spec, corpus_of(ROWS), rows).reused
        read = store.read(spec.name, 0, ROWS).vectors
        np.testing.assert_array_equal(read.offsets, rows.offsets)
        np.testing.assert_array_equal(read.values, rows.values)
        if shape == "sparse":
            np.testing.assert_array_equal(read.columns, rows.columns)
        truth = by_hand(shape, queries, rows)
        found = store.search(spec, queries, 10)
        assert found.rows.shape == (40, 10)
        for query, (listed, told) in enumerate(zip(found.rows, found.similarity, strict=True)):
            ranked = np.flatnonzero(truth[query] > 0) if shape == "sparse" else np.arange(ROWS)
            order = ranked[np.lexsort((ranked, -truth[query, ranked].round(5)))][:10]
            assert listed[listed >= 0].tolist() == order.tolist()
            np.testing.assert_allclose(told[listed >= 0], truth[query, order], rtol=1e-5, atol=1e-5)
        store.drop(spec.name)


def test_what_was_left_half_made_is_gone_on_with(store: Store) -> None:
    for shape in shapes_of(store):
        rows, spec, corpus = ragged(shape, ROWS, 1), spec_of(shape), corpus_of(ROWS)
        read = partial(part_of, corpus, rows)
        store.create(spec)
        store.add(spec.name, read(0, 25))
        placement = fill(store, spec, read)
        assert (placement.reused, placement.resumed) == (False, 25)
        np.testing.assert_array_equal(store.read(spec.name, 20, 30).vectors.values, rows[20:30].values)
        store.drop(spec.name)


def test_vectors_of_another_shape_are_refused(store: Store) -> None:
    for shape in shapes_of(store):
        spec = spec_of(shape)
        dense = np.ones((ROWS, WIDTH), dtype=np.float32)
        with pytest.raises(ShapeError, match=rf"must be {shape}, of dimension 40\. Got dense ones of 40\."):
            place(store, spec, corpus_of(ROWS), dense)
        other = ragged("tokens" if shape == "sparse" else "sparse", ROWS, 1)
        with pytest.raises(ShapeError, match=rf"must be {shape}, of dimension 40\."):
            place(store, spec, corpus_of(ROWS), other)
        assert spec.name not in store.names()
