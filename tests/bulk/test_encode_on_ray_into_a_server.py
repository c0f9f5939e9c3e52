"""Encoding by workers of Ray into a real Milvus server."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from ray_workers import (
    PART,
    ROWS,
    TEXTS,
    WORKERS,
    answer_of,
    both_encode,
    check_encoded,
    in_a_process,
    texts_by_process,
)

from embdiff import exact
from embdiff.bulk import encode_corpus
from embdiff.indexes import IndexSpec
from embdiff.records import Neighbors
from embdiff.sources import get_encoder
from embdiff.stores import get_store
from embdiff.stores.collection import CollectionSpec
from milvus_server import TOKEN

DIM, K = 16, 10


def neighbors_in(uri: str, collection: str) -> Neighbors:
    """Search every row of a collection that must be whole."""
    with get_store(uri) as store:
        stamp = store.stamp(collection)
        assert stamp["complete"]
        assert (stamp["rows"], store.count(collection)) == (ROWS, ROWS)
        spec = CollectionSpec(collection, DIM, "l2", IndexSpec.parse("flat"), ROWS, stamp["source"])
        assert stamp == spec.full_stamp(complete=True)
        store.load(spec)
        return store.search(spec, get_encoder(f"toy:{DIM}").encode(TEXTS), K)


@pytest.mark.slow
@pytest.mark.server
def test_a_worker_killed_on_the_way_to_a_server_changes_nothing(
    ray, logged: Path, tmp_path: Path, milvus_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers, one of them killed while it encodes; every row is on the server once, with the same neighbours."""
    monkeypatch.setenv("EMBDIFF_STORE_TOKEN", TOKEN)
    local = f"milvus:{tmp_path / 'local.db'}"
    alone = encode_corpus(TEXTS, f"logged:{DIM}", local, part_rows=PART, metric="l2", cache="off")
    for path in logged.iterdir():
        path.unlink()
    (logged / "processes").write_text(str(WORKERS))
    driver = in_a_process(TEXTS, milvus_server, workers=WORKERS, metric="l2")
    errors = both_encode(driver, logged)
    with get_store(milvus_server) as store:
        assert alone.collection not in store.names()
    victim = min(texts_by_process(logged))
    os.kill(victim, 9)
    done = answer_of(driver, errors)
    assert (done["engine"], done["workers"], done["parts"]) == ("ray", WORKERS, ROWS // PART)
    assert (done["kind"], done["out"], done["collection"]) == ("store", milvus_server, alone.collection)
    check_encoded(logged, victim)

    vectors = get_encoder(f"toy:{DIM}").encode(TEXTS)
    with get_store(milvus_server) as store:
        there = store.read(done["collection"], 0, 2 * ROWS)
    np.testing.assert_array_equal(there.rows, np.arange(ROWS))
    assert there.texts == tuple(TEXTS)
    np.testing.assert_array_equal(there.vectors, vectors)
    ours, theirs = neighbors_in(local, alone.collection), neighbors_in(milvus_server, done["collection"])
    np.testing.assert_allclose(theirs.similarity, ours.similarity, rtol=1e-5, atol=1e-6)
    apart = exact.similarity(vectors, vectors, theirs.rows, metric="l2") - ours.similarity
    assert np.abs(apart).max() <= 1e-6  # other rows only where they are as near
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["local.db", "log", "package"]
    before = texts_by_process(logged)
    again = encode_corpus(TEXTS, f"logged:{DIM}", milvus_server, part_rows=PART, metric="l2", cache="off")
    assert again.reused
    assert texts_by_process(logged) == before
    with get_store(milvus_server) as store:
        store.drop(done["collection"])
