"""How every store keeps vectors: placed once, never half, read back bit for bit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from store_worlds import POINTS, QUERIES, by_hand, corpus_of, nearest_by_hand, rows_of, spec_of

from embdiff.errors import ParameterError, ShapeError, StoreError
from embdiff.stores.collection import Batch, CollectionSpec, collection_name
from embdiff.stores.placing import place
from embdiff.stores.store import Store


def test_place_refuses_vectors_before_it_makes_anything(store: Store) -> None:
    corpus = corpus_of(3, ids=("a", "b", "c"))
    good = np.eye(3, dtype=np.float32)
    for value, message in ((np.nan, "finite"), (np.inf, "finite"), (0.0, "other than zero for the metric cosine")):
        bad = good.copy()
        bad[1] = value
        with pytest.raises(ParameterError, match=rf"{message}.*in row 1 \(id 'b'\), 1 in all"):
            place(store, spec_of("refused", bad), corpus, bad)
    with pytest.raises(ShapeError, match=r"float64 of shape \(3, 3\)"):
        place(store, spec_of("refused", good), corpus, good.astype(np.float64))
    with pytest.raises(ShapeError, match=r"Got 3 texts and float32 of shape \(2, 3\)"):
        place(store, spec_of("refused", good), corpus, good[:2])
    with pytest.raises(ParameterError, match="at least one row"):
        place(store, spec_of("refused", good[:0]), corpus_of(0), good[:0])
    with pytest.raises(ParameterError, match="nlist of ivf_flat must be at most the number of rows"):
        place(store, spec_of("refused", good, index="ivf_flat(nlist=4,nprobe=1)"), corpus, good)
    for length, metric, message in (
        (1e14, "l2", r"shorter than 1e\+14 \(databases square lengths in float32\)"),
        (1e-18, "cosine", r"at least 1e-17 long for the metric cosine \(the square of less is lost in float32\)"),
    ):
        with pytest.raises(ParameterError, match=rf"{message}.*in row 2 \(id 'c'\), 1 in all"):
            place(store, spec_of("refused", good, metric), corpus, good * np.array([[1], [1], [length]], np.float32))
        with pytest.raises(ParameterError, match=rf"{message}.*in query 0, 3 in all"):
            store.search(spec_of("refused", good, metric), good * np.float32(length), 1)
    assert "refused" not in store.names()


def test_reuse_by_stamp(store: Store) -> None:
    vectors, corpus = POINTS[:20], corpus_of(20)
    first = spec_of("reused", vectors, "l2", model="toy:8", revision="1")
    assert not place(store, first, corpus, vectors).reused
    again = place(store, first, corpus, vectors)
    assert again.reused
    assert list(again.seconds) == ["load"]
    assert store.count("reused") == 20
    stamp = store.stamp("reused")
    assert stamp is not None
    assert {key: stamp[key] for key in ("schema", "complete", "rows", "dim", "shape", "metric", "index")} == {
        "schema": 2, "complete": True, "rows": 20, "dim": 8, "shape": "dense", "metric": "l2", "index": "flat",
    }  # fmt: skip
    assert stamp["source"] == {"model": "toy:8", "revision": "1"}

    other = spec_of("reused", vectors + 1, "l2", model="toy:8", revision="2")
    assert not place(store, other, corpus, vectors + 1).reused
    np.testing.assert_allclose(store.search(other, vectors + 1, 1).similarity, 0, atol=1e-5)
    store.drop("reused")
    assert "reused" not in store.names()
    store.drop("reused")


@pytest.mark.parametrize("inserted", [5, 8])
def test_an_incomplete_collection_is_never_reused(store: Store, inserted: int) -> None:
    vectors, corpus = POINTS[:8], corpus_of(8)
    spec = spec_of("half", vectors)
    store.create(spec)
    store.add("half", rows_of(corpus, np.arange(inserted), vectors))
    assert store.stamp("half") == spec.full_stamp(complete=False)
    assert not place(store, spec, corpus, vectors).reused
    assert store.count("half") == 8
    store.drop("half")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("no space left")])
@pytest.mark.parametrize("stage", ["add", "build", "load", "seal"])
def test_what_fails_midway_never_looks_whole_and_is_finished_next_time(
    store: Store, stage: str, error: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(store, stage, fail)
        with pytest.raises(error if isinstance(error, type) else type(error)):
            place(store, spec_of("failed", POINTS), corpus_of(60), POINTS)
    stamp = store.stamp("failed")
    assert stamp is not None
    assert not stamp["complete"]
    placement = place(store, spec_of("failed", POINTS), corpus_of(60), POINTS)
    assert not placement.reused
    assert placement.resumed == (0 if stage == "add" else 60)
    found = store.search(spec_of("failed", POINTS), QUERIES, 5)
    np.testing.assert_array_equal(found.rows, nearest_by_hand(by_hand(QUERIES, POINTS, "cosine"), 5))
    store.drop("failed")


def test_a_failed_create_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = store.create

    def fail(spec: CollectionSpec) -> None:
        real(spec)
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "create", fail)
    with pytest.raises(KeyboardInterrupt):
        place(store, spec_of("failed", POINTS), corpus_of(60), POINTS)
    assert "failed" not in store.names()


def test_inserted_rows_are_gone_on_from_only_when_they_are_a_beginning(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, corpus = spec_of("part", POINTS, "l2"), corpus_of(60)
    added: list[int] = []
    real = store.add

    def add(name: str, rows: Batch) -> None:
        added.extend(rows.rows)
        real(name, rows)

    for there, resumed in ((range(25), 25), (range(5, 25), 0), (range(0, 20, 2), 0)):
        store.create(spec)
        store.add("part", rows_of(corpus, np.array(there), POINTS))
        added.clear()
        with monkeypatch.context() as patch:
            patch.setattr(store, "add", add)
            placement = place(store, spec, corpus, POINTS)
        assert placement.resumed == resumed
        assert added == list(range(resumed, 60))
        assert store.count("part") == 60
        np.testing.assert_array_equal(store.search(spec, POINTS[:30], 1).similarity.round(4), np.zeros((30, 1)))
        store.drop("part")


@pytest.mark.parametrize("index", ["flat", "ivf_flat(nlist=4,nprobe=4)"])
def test_an_index_may_be_built_again(store: Store, index: str) -> None:
    """As when the process was killed between building it and saying so."""
    if store.uri == "memory:" and index != "flat":
        pytest.skip("memory: has no other index")
    spec, corpus = spec_of("again", POINTS, "l2", index), corpus_of(60)
    store.create(spec)
    store.add("again", rows_of(corpus, np.arange(60), POINTS))
    store.build(spec)
    incomplete = json.dumps(spec.full_stamp(complete=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "stamp", lambda name: json.loads(incomplete))
        assert place(store, spec, corpus, POINTS).resumed == 60
    found = store.search(spec, QUERIES, 5)
    np.testing.assert_array_equal(found.rows, nearest_by_hand(by_hand(QUERIES, POINTS, "l2"), 5))
    store.drop("again")


def test_rows_of_another_process_are_noticed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "count", lambda name: 61)
    with pytest.raises(StoreError, match=r"of 60 rows must hold that many\. Got 61 in twice of .*the same comparison"):
        place(store, spec_of("twice", POINTS), corpus_of(60), POINTS)
    store.drop("twice")


def test_insert_in_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embdiff.stores.placing.ROWS_PER_ADD", 7)
    monkeypatch.setattr("embdiff.stores.milvus.store._BYTES_PER_CALL", 200)
    spec = spec_of("batches", POINTS, "ip")
    place(store, spec, corpus_of(60), POINTS)
    monkeypatch.undo()
    assert store.count("batches") == 60
    np.testing.assert_array_equal(
        store.search(spec, QUERIES, 7).rows, nearest_by_hand(by_hand(QUERIES, POINTS, "ip"), 7)
    )
    store.drop("batches")


def test_rows_are_read_back_in_order_and_bit_for_bit(store: Store) -> None:
    vectors = np.concatenate([POINTS[:30], POINTS[:30] * np.float32(1e4)])
    ids = tuple(f"id {row} ü👩‍🎤" for row in range(60))
    corpus = corpus_of(60, ids=ids, groups=("α", "") * 30)
    spec = spec_of("read", vectors)
    place(store, spec, corpus, vectors)
    for start, stop in ((0, 60), (7, 20), (59, 60), (50, 99)):
        part = store.read("read", start, stop)
        rows = np.arange(start, min(stop, 60))
        np.testing.assert_array_equal(part.rows, rows)
        assert (part.rows.dtype, part.vectors.dtype) == (np.int64, np.float32)
        np.testing.assert_array_equal(part.vectors, vectors[rows])
        assert part.ids == ids[start:stop]
        assert part.texts == corpus.items[start:stop]
        assert part.groups == (corpus.groups or ())[start:stop]
    assert len(store.read("read", 60, 70)) == 0
    store.drop("read")


def test_an_incomplete_collection_can_be_read(store: Store) -> None:
    store.create(spec_of("some", POINTS))
    assert len(store.read("some", 0, 60)) == 0
    store.add("some", Batch(np.array([3, 5]), ("a", "b"), ("x", "y"), ("", ""), POINTS[[3, 5]]))
    part = store.read("some", 0, 60)
    assert part.rows.tolist() == [3, 5]
    np.testing.assert_array_equal(part.vectors, POINTS[[3, 5]])
    store.drop("some")


def test_two_runs_and_two_models_do_not_share(store: Store) -> None:
    vectors = POINTS[:4]
    names = {collection_name(run, model, "f") for run in ("a", "b") for model in ("toy:8", "toy:8?prompt=x")}
    assert len(names) == 4
    one, other = sorted(names)[:2]
    store.create(spec_of(one, vectors, "ip"))
    spec = spec_of(other, -vectors, "ip")
    place(store, spec, corpus_of(4), -vectors)
    assert {one, other} <= set(store.names())
    store.drop(one)
    similarity = store.search(spec, -vectors, 1).similarity[:, 0]
    np.testing.assert_allclose(similarity, (vectors @ vectors.T).max(axis=1), rtol=1e-5)
    store.drop(other)
