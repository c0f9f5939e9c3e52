"""What holds of Milvus only, Lite and a real server: fields, indexes, collections of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from store_worlds import POINTS, QUERIES, by_hand, corpus_of, nearest_by_hand, spec_of

from embdiff.errors import DataError, ParameterError, StoreError
from embdiff.stores import get_store
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.placing import place
from milvus_server import TOKEN

random = np.random.default_rng(7)
CENTRES = 10 * np.eye(4, 8, dtype=np.float32)
CLUSTERED = (np.repeat(CENTRES, 500, axis=0) + random.standard_normal((2000, 8))).astype(np.float32)


def client_of(milvus: Any) -> Any:
    return milvus.ask._client


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
