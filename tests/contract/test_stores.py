"""What every store must do, the same tests for all: memory, Milvus Lite, and a real Milvus server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embdiff.config import IndexSpec
from embdiff.errors import DataError, ParameterError, ShapeError, StoreError
from embdiff.records import Corpus, FloatArray, Metric
from embdiff.stores import get_store
from embdiff.stores.base import CollectionSpec, Store, collection_name, place
from embdiff.stores.memory import MemoryStore
from milvus_server import TOKEN

METRICS: tuple[Metric, ...] = ("cosine", "ip", "l2")
SERVER = pytest.param("server", marks=pytest.mark.server)
LANCE = pytest.param("lancedb", marks=pytest.mark.slow)  # installed by make test-all only
random = np.random.default_rng(7)
POINTS = random.standard_normal((60, 8)).astype(np.float32)
POINTS[30:40] = POINTS[3]
QUERIES = np.concatenate([POINTS, random.standard_normal((20, 8)).astype(np.float32)])
CENTRES = 10 * np.eye(4, 8, dtype=np.float32)
CLUSTERED = (np.repeat(CENTRES, 500, axis=0) + random.standard_normal((2000, 8))).astype(np.float32)


def opened(kind: str, request: pytest.FixtureRequest, folder: Path) -> Store:
    if kind == "memory":
        return get_store("memory:")
    if kind == "lancedb":
        pytest.importorskip("lancedb")
        return get_store(f"lancedb:{folder / 'vectors'}")
    if kind == "lite":
        return get_store(f"milvus:{folder / 'vectors.db'}")
    return get_store(f"{request.getfixturevalue('milvus_server')}?token={TOKEN}")


@pytest.fixture(scope="module", params=["memory", "lite", LANCE, SERVER])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with opened(request.param, request, tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture(scope="module", params=["lite", SERVER])
def milvus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with opened(request.param, request, tmp_path_factory.mktemp("milvus")) as store:
        yield store


def client_of(milvus: Any) -> Any:
    return milvus._call._client


def corpus_of(count: int, **columns: Any) -> Corpus:
    texts = columns.pop("items", tuple(f"text {row}" for row in range(count)))
    return Corpus(texts, columns.pop("ids", tuple(map(str, range(count)))), **columns)


def spec_of(
    name: str, vectors: FloatArray, metric: Metric = "cosine", index: str = "flat", **stamp: Any
) -> CollectionSpec:
    rows, dim = vectors.shape
    return CollectionSpec(name, dim, metric, IndexSpec.parse(index), rows, stamp)


def by_hand(queries: FloatArray, vectors: FloatArray, metric: Metric) -> np.ndarray:
    """Similarities in float64, shape (q, n)."""
    left, right = queries.astype(np.float64), vectors.astype(np.float64)
    if metric == "cosine":
        left, right = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (left, right))
    if metric == "l2":
        return -((left[:, None] - right[None]) ** 2).sum(axis=2)
    return left @ right.T


def nearest_by_hand(similarity: np.ndarray, k: int) -> np.ndarray:
    """Rows of the k highest; what differs by rounding only counts as equal and stands by row."""
    return np.argsort(-similarity.round(9), axis=1, kind="stable")[:, :k]


@pytest.fixture(scope="module")
def points(store: Store) -> Callable[[Metric], CollectionSpec]:
    """POINTS under a metric, placed once for all tests of a store: on the server a collection costs seconds."""
    placed: dict[Metric, CollectionSpec] = {}

    def get(metric: Metric) -> CollectionSpec:
        if metric not in placed:
            placed[metric] = spec_of(f"points_{metric}", POINTS, metric)
            placement = place(store, placed[metric], corpus_of(60), POINTS)
            assert not placement.reused
            assert list(placement.seconds) == ["create", "insert", "build", "load"]
        return placed[metric]

    return get


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


@pytest.mark.parametrize("count", [0, 1, 23])
def test_any_number_of_queries(store: Store, points: Any, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(store, MemoryStore):
        monkeypatch.setattr(f"{type(store).__module__}._QUERIES_PER_CALL", 7)
    whole = store.search(points("ip"), QUERIES[:count], 4)
    assert whole.rows.shape == (count, 4)
    np.testing.assert_array_equal(whole.rows, nearest_by_hand(by_hand(QUERIES[:count], POINTS, "ip"), 4))


def test_search_refuses_queries_that_fit_no_answer(store: Store, points: Any) -> None:
    spec = points("cosine")
    with pytest.raises(ShapeError, match=r"must have its dimension, 8\. Got an array of shape \(1, 9\)"):
        store.search(spec, np.ones((1, 9), np.float32), 3)
    with pytest.raises(ParameterError, match=r"must be finite\. Got one that is not in query 1, 1 in all"):
        store.search(spec, np.array([[1.0] * 8, [np.nan] * 8], np.float32), 3)
    with pytest.raises(ParameterError, match=r"other than zero for the metric cosine .* in query 0"):
        store.search(spec, np.zeros((1, 8), np.float32), 3)
    with pytest.raises(ParameterError, match=r"k must be between 1 and"):
        store.search(spec, QUERIES, 0)
    assert store.search(points("l2"), np.zeros((1, 8), np.float32), 3).rows.shape == (1, 3)


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
    assert {key: stamp[key] for key in ("schema", "complete", "rows", "dim", "metric", "index")} == {
        "schema": 1, "complete": True, "rows": 20, "dim": 8, "metric": "l2", "index": "flat",
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
    part = slice(0, inserted)
    store.add("half", np.arange(inserted), corpus.ids[part], corpus.items[part], [""] * inserted, vectors[part])
    assert store.stamp("half") == spec.full_stamp(complete=False)
    assert not place(store, spec, corpus, vectors).reused
    assert store.count("half") == 8
    store.drop("half")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("no space left")])
@pytest.mark.parametrize("stage", ["add", "build", "load"])
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
    assert stamp["complete"] is (stage == "load")
    placement = place(store, spec_of("failed", POINTS), corpus_of(60), POINTS)
    assert placement.reused is (stage == "load")
    assert placement.resumed == (60 if stage == "build" else 0)
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
    spec, corpus, groups = spec_of("part", POINTS, "l2"), corpus_of(60), [""] * 60
    added: list[int] = []
    real = store.add

    def add(name: str, rows: Any, *rest: Any) -> None:
        added.extend(rows)
        real(name, rows, *rest)

    for there, resumed in ((range(25), 25), (range(5, 25), 0), (range(0, 20, 2), 0)):
        rows = np.array(there)
        store.create(spec)
        store.add(
            "part", rows, *([list(x)[i] for i in there] for x in (corpus.ids, corpus.items, groups)), POINTS[rows]
        )
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
    store.add("again", np.arange(60), corpus.ids, corpus.items, [""] * 60, POINTS)
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
    monkeypatch.setattr("embdiff.stores.base._ROWS_PER_ADD", 7)
    monkeypatch.setattr("embdiff.stores.milvus._BYTES_PER_CALL", 200)
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
    store.add("some", np.array([3, 5]), ("a", "b"), ("x", "y"), ("", ""), POINTS[[3, 5]])
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


# Milvus: fields, indexes, strangers


def stored(milvus: Any, name: str, count: int) -> list[dict[str, Any]]:
    fields = ["row", "id", "text", "group"]
    found = client_of(milvus).query(name, filter=f"row < {count}", output_fields=fields, consistency_level="Strong")
    return sorted(found, key=lambda record: record["row"])


def test_texts_ids_and_groups_arrive_whole_or_cut_at_a_character(milvus: Any) -> None:
    texts = ("naïve café", "👩‍👩‍👧‍👦 🎸", "שלום עולם مرحبا", "汉" * 33_333, "x" * 100_000, "", "a'b\"c\\d\n\te")
    ids = ("ü", "👩‍🎤", "مفتاح", "汉字", "long", "-1", "' OR 1=1")
    corpus = corpus_of(7, items=texts, ids=ids, groups=("α", "", "β" * 40_000, "", "", "", "\u202e"))
    vectors = POINTS[:7]
    placement = place(milvus, spec_of("texts", vectors), corpus, vectors)
    cuts = [(cut.row, cut.id, cut.field, cut.bytes_before, cut.bytes_kept) for cut in placement.cuts]
    assert cuts == [
        (2, "مفتاح", "group", 80_000, 65_534),
        (3, "汉字", "text", 99_999, 65_535),
        (4, "long", "text", 100_000, 65_535),
    ]
    records = stored(milvus, "texts", 7)
    assert [record["id"] for record in records] == list(ids)
    for row, record in enumerate(records):
        assert texts[row].startswith(record["text"])
        assert (record["text"] == texts[row]) == (row not in (3, 4))
    assert records[2]["group"] == "β" * 32_767
    assert place(milvus, spec_of("texts", vectors), corpus, vectors).cuts == placement.cuts


def test_an_id_too_long_or_half_a_character_is_refused(milvus: Any) -> None:
    with pytest.raises(DataError, match=r"An id must be at most 65,535 bytes long .*\. Got 70,000 bytes in row 1"):
        place(milvus, spec_of("bad", POINTS[:2]), corpus_of(2, ids=("a", "é" * 35_000)), POINTS[:2])
    with pytest.raises(DataError, match=r"surrogate pair \(character 2\) in the text of row 1"):
        place(milvus, spec_of("bad", POINTS[:2]), corpus_of(2, items=("a", "ab\ud83d")), POINTS[:2])
    assert "bad" not in milvus.names()


def test_a_collection_of_others_is_left_alone(milvus: Any) -> None:
    client_of(milvus).create_collection("theirs", dimension=8)
    with pytest.raises(StoreError, match=r"must be one that embdiff made\. Got theirs .* was left alone"):
        place(milvus, spec_of("theirs", POINTS), corpus_of(60), POINTS)
    assert milvus.stamp("theirs") is None
    assert "theirs" in milvus.names()
    client_of(milvus).alter_collection_properties("theirs", {"embdiff": "{not json"})
    assert milvus.stamp("theirs") is None
    milvus.drop("theirs")


@pytest.fixture(scope="module")
def clustered(milvus: Any) -> CollectionSpec:
    spec = spec_of("clustered", CLUSTERED, "l2", "ivf_flat(nlist=4,nprobe=4)")
    place(milvus, spec, corpus_of(2000), CLUSTERED)
    return spec


BETWEEN = (CENTRES[[0, 1, 2, 3]] + CENTRES[[1, 2, 3, 0]]).repeat(5, axis=0) / 2
BETWEEN = (BETWEEN + random.standard_normal(BETWEEN.shape)).astype(np.float32)


def test_ivf_is_exact_when_every_list_is_probed(milvus: Any, clustered: CollectionSpec) -> None:
    found = milvus.search(clustered, BETWEEN, 50)
    np.testing.assert_array_equal(found.rows, nearest_by_hand(by_hand(BETWEEN, CLUSTERED, "l2"), 50))
    assert found.index == "ivf_flat(nlist=4,nprobe=4)"


def test_ivf_misses_what_it_does_not_probe_and_is_not_built_again(milvus: Any, clustered: CollectionSpec) -> None:
    one = spec_of("clustered", CLUSTERED, "l2", "ivf_flat(nlist=4,nprobe=1)")
    assert place(milvus, one, corpus_of(2000), CLUSTERED).reused
    found = milvus.search(one, BETWEEN, 50)
    truth = by_hand(BETWEEN, CLUSTERED, "l2")
    exact = nearest_by_hand(truth, 50)
    recall = np.mean([len(set(a) & set(b)) / 50 for a, b in zip(found.rows, exact, strict=True)])
    # Queries half-way between two of four clusters: with one list of four probed, about half of the rows are missed.
    # With the 128 lists that a lost nlist would give, one list could not even hold 50 rows.
    assert 0.2 < recall < 0.9
    assert np.all(found.rows >= 0)
    np.testing.assert_allclose(found.similarity, np.take_along_axis(truth, found.rows, 1), rtol=1e-5)


def test_lite_probes_as_computed_by_hand_from_its_centroids(tmp_path: Path) -> None:
    with get_store(f"milvus:{tmp_path / 'a.db'}") as lite:
        spec = spec_of("ivf", CLUSTERED, "l2", "ivf_flat(nlist=4,nprobe=2)")
        place(lite, spec, corpus_of(2000), CLUSTERED)
        found = lite.search(spec, BETWEEN, 50)
    (file,) = (tmp_path / "a.db").rglob("*.idx")
    index = faiss.read_index(str(file))
    assert index.nlist == 4
    centroids = index.quantizer.reconstruct_n(0, 4)
    home = by_hand(CLUSTERED, centroids, "l2").argmax(axis=1)
    probed = nearest_by_hand(by_hand(BETWEEN, centroids, "l2"), 2)
    truth = by_hand(BETWEEN, CLUSTERED, "l2")
    for query in range(len(BETWEEN)):
        truth[query, ~np.isin(home, probed[query])] = -np.inf
    np.testing.assert_array_equal(found.rows, nearest_by_hand(truth, 50))


@pytest.mark.parametrize(
    "index", ["ivf_sq8(nlist=4,nprobe=4)", "hnsw(M=16,efConstruction=100,ef=100)", "hnsw(ef=10)", "autoindex"]
)
def test_lite_builds_the_other_indexes(tmp_path: Path, index: str) -> None:
    with get_store(f"milvus:{tmp_path / 'a.db'}") as lite:
        spec = spec_of("other", POINTS, "cosine", index)
        place(lite, spec, corpus_of(60), POINTS)
        found = lite.search(spec, QUERIES, 10)
    exact = nearest_by_hand(by_hand(QUERIES, POINTS, "cosine"), 10)
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.rows, exact, strict=True)]) > 0.9


def test_milvus_refuses_what_an_index_cannot_give(milvus: Any) -> None:
    spec = spec_of("any", POINTS, index="hnsw(ef=20)")
    with pytest.raises(ParameterError, match=r"ef of hnsw must be at least .* Got ef=20 for 30 neighbours"):
        milvus.search(spec, QUERIES, 30)
    with pytest.raises(ParameterError, match=r"k must be between 1 and 16,384 in Milvus\. Got 16385"):
        milvus.search(spec, QUERIES, 16_385)
    with pytest.raises(StoreError, match=r"^Milvus must be able to search any\. Got from .*any.*\. Check the store"):
        milvus.search(spec_of("any", POINTS), QUERIES, 3)


def test_memory_is_flat_only() -> None:
    with get_store("memory:") as memory, pytest.raises(ParameterError, match=r"always exact\. Got hnsw"):
        place(memory, spec_of("any", POINTS, index="hnsw"), corpus_of(60), POINTS)


@pytest.mark.server
def test_the_server_wants_its_token(milvus_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match=r"wants a token\. Got one that it refuses\. Set EMBDIFF_STORE_") as raised:
        get_store(f"{milvus_server}?token=root:wrong")
    assert "wrong" not in str(raised.value)
    with pytest.raises(StoreError, match=r"wants a token\. Got none\."):
        get_store(milvus_server)
    with pytest.raises(StoreError, match=r"list the collections\. Got from http.*db=nosuch: database not found"):
        get_store(f"{milvus_server}?token={TOKEN}&db=nosuch")
    get_store(milvus_server.replace("//", f"//{TOKEN}@")).close()
    monkeypatch.setenv("EMBDIFF_STORE_TOKEN", TOKEN)
    with get_store(milvus_server) as store:
        assert store.uri == milvus_server
        assert isinstance(store.names(), list)


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
