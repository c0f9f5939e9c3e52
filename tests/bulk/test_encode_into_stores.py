"""Encoding into a store: every row, whole or resumed, to be compared with."""

import subprocess
import sys

import numpy as np
import pytest
from counted_texts import PART, ROWS, TEXTS, counting, hidden

import embdiff as ed
from embdiff.bulk import encode_corpus
from embdiff.errors import ParameterError, StoreError
from embdiff.sources import get_encoder
from embdiff.stores import get_store
from embdiff.stores.milvus.store import MilvusStore
from milvus_server import TOKEN


@pytest.mark.parametrize("store", ["milvus:{}/x.db", "lancedb:{}/x"])
def test_into_a_store(parquet, tmp_path, store):
    if store.startswith("lancedb"):
        pytest.importorskip("lancedb", reason="the store lancedb needs it")
    uri = store.format(tmp_path)
    settings = {"part_rows": PART, "metric": "l2", "cache": "off"}
    done = encode_corpus(parquet, "toy:16", uri, **settings)
    with get_store(uri) as opened:
        assert opened.names() == [done.collection]
        found = opened.read(done.collection, 0, 2 * ROWS)
        stamp = opened.stamp(done.collection)
    np.testing.assert_array_equal(found.rows, np.arange(ROWS))
    np.testing.assert_array_equal(found.vectors, get_encoder("toy:16").encode(TEXTS))
    assert (found.ids, found.texts, found.groups[4]) == (tuple(f"i{row}" for row in range(ROWS)), tuple(TEXTS), "1")
    assert (stamp["complete"], stamp["rows"], stamp["metric"]) == (True, ROWS, "l2")
    assert stamp["source"]["corpus"] == ed.read_corpus(parquet).digest()
    assert encode_corpus(parquet, "toy:16", uri, **settings).reused
    other = encode_corpus(parquet, "toy:16", uri, **{**settings, "metric": "ip"})
    assert (other.reused, other.collection) == (False, done.collection)
    assert hidden(tmp_path) == []


def test_a_collection_can_be_compared_with(parquet, tmp_path):
    done = encode_corpus(parquet, "toy:16", f"milvus:{tmp_path / 'x.db'}", part_rows=PART, cache="off")
    result = ed.compare(parquet, [done.as_model, "toy:16"], k=3, baseline=False, permutations=99)
    theirs, ours = result.run.answers
    np.testing.assert_array_equal(theirs.exact.rows, ours.exact.rows)


@pytest.mark.parametrize("where", ["embdiff.stores.copying._hash", "embdiff._files._remove"])
def test_killed_at_the_end_it_is_compared_again_and_leaves_nothing(parquet, tmp_path, where):
    """Before all rows were compared nothing is stamped as complete; after that, what is left is removed."""
    module, name = where.rsplit(".", 1)
    uri = f"milvus:{tmp_path / 'x.db'}"
    code = f"""
import os, {module} as module
from embdiff.bulk import encode_corpus
if {name!r} == "_remove":
    module._remove = lambda folder: os._exit(9)
else:
    from embdiff.stores.milvus.store import MilvusStore
    load = MilvusStore.load
    MilvusStore.load = lambda self, spec: (load(self, spec), setattr(module, {name!r}, lambda *_: os._exit(9)))
encode_corpus({str(parquet)!r}, "toy:16", {uri!r}, part_rows={PART}, cache="off")
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 9
    assert hidden(tmp_path) != []
    again = encode_corpus(parquet, "toy:16", uri, part_rows=PART, cache="off")
    assert again.reused is (name == "_remove")
    assert hidden(tmp_path) == []
    assert encode_corpus(parquet, "toy:16", uri, part_rows=PART, cache="off").reused


def test_a_store_that_fails_is_gone_on_with(parquet, tmp_path, monkeypatch):
    uri = f"milvus:{tmp_path / 'x.db'}"
    backend, encoder = counting()

    def full(self, *_):
        raise StoreError("The disk must have room. Got none. Make room.")

    with monkeypatch.context() as patched:
        patched.setattr(MilvusStore, "build", full)
        with pytest.raises(StoreError, match="must have room"):
            encode_corpus(parquet, encoder, uri, part_rows=PART, cache="off")
    first = backend.given
    added = []
    add = MilvusStore.add
    monkeypatch.setattr(MilvusStore, "add", lambda self, name, rows: added.extend(rows.rows) or add(self, name, rows))
    done = encode_corpus(parquet, encoder, uri, part_rows=PART, cache="off")
    assert (backend.given, added, done.parts_found) == (first, [], 15)
    with get_store(uri) as opened:
        assert opened.stamp(done.collection)["complete"]
        assert opened.count(done.collection) == ROWS


@pytest.mark.server
def test_into_a_server_and_compared_with(parquet, tmp_path, monkeypatch, milvus_server):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMBDIFF_STORE_TOKEN", TOKEN)
    done = encode_corpus(parquet, "toy:16", milvus_server, part_rows=PART, cache="off")
    assert hidden(tmp_path) == []
    assert encode_corpus(parquet, "toy:16", milvus_server, part_rows=PART, cache="off", work="elsewhere").reused
    result = ed.compare(parquet, [done.as_model, "toy:16"], k=3, baseline=False, permutations=99, store="memory:")
    theirs, ours = result.run.answers
    np.testing.assert_array_equal(theirs.exact.rows, ours.exact.rows)
    with get_store(milvus_server) as store:
        store.drop(done.collection)


def test_zero_vectors_are_refused_by_name_under_cosine(tmp_path):
    class Zero:
        def encode(self, texts):
            return np.array([[0.0, 0.0] if text == "z" else [1.0, 0.0] for text in texts], dtype=np.float32)

    encoder = get_encoder(Zero(), spec="zero", revision="1")
    with pytest.raises(ParameterError, match=r"other than zero.*Got one that is not in row 2 \(id '2'\)"):
        encode_corpus(["a", "b", "z"], encoder, f"milvus:{tmp_path / 'x.db'}", part_rows=2, cache="off")
