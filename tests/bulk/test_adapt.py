"""Old vectors for a new model: measured against what a full re-encoding finds, written whole, told plainly."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import embdiff as ed
from embdiff.bulk.mapfile import read_map
from embdiff.cli import app
from embdiff.errors import DataError, EmbdiffError, ParameterError, StoreError
from embdiff.indexes import IndexSpec
from embdiff.stores import get_store
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.placing import place
from milvus_server import TOKEN

pytest.importorskip("wordllama")

WORDS = [
    "harbour",
    "lantern",
    "cup",
    "orchard",
    "violin",
    "gravel",
    "candle",
    "river",
    "thunder",
    "garden",
    "mirror",
    "copper",
    "winter",
    "letter",
    "bridge",
]
RNG = np.random.default_rng(2)
TEXTS = tuple(" ".join(RNG.choice(WORDS, 6)) + f" {row}" for row in range(300))
CORPUS = ed.Corpus(TEXTS, tuple(f"d{row:03}" for row in range(300)), ids_given=True)
OLD = "wordllama:64"
TURN = np.linalg.qr(np.random.default_rng(1).standard_normal((64, 64)))[0].astype(np.float32)


class Turned:
    """A model whose space is that of the old one, turned."""

    def encode(self, texts: Sequence[str]) -> Any:
        return ed.get_encoder(OLD).encode(list(texts)) @ TURN


class Unrelated:
    """A model that knows nothing of what texts say."""

    def encode(self, texts: Sequence[str]) -> Any:
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") for text in texts]
        return np.stack([np.random.default_rng(seed).standard_normal(32) for seed in seeds]).astype(np.float32)


def named(model: Any) -> Any:
    return ed.get_encoder(model, spec=type(model).__name__, revision="1")


def filled(uri: str, name: str = "old", metric: Any = "cosine") -> str:
    """Make a collection of the old model; return what one types."""
    model = ed.get_encoder(OLD)
    stamp = {**model.stamp.to_dict(), "corpus": CORPUS.digest(), "normalized": True}
    with get_store(uri) as store:
        store.drop(name)
        place(
            store,
            CollectionSpec(name, 64, metric, IndexSpec.parse("flat"), 300, stamp),
            CORPUS,
            model.encode(list(TEXTS)),
        )
    return f"{uri.partition('?')[0]}#{name}"


def vectors_in(uri: str, name: str) -> Any:
    with get_store(uri) as store:
        return store.read(name, 0, 300)


def top(queries: Any, rows: Any, k: int = 10) -> list[set[int]]:
    """Return the k nearest of each row by cosine, itself left out, the plain way."""
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries.astype(np.float64), rows.astype(np.float64))]
    near = unit[0] @ unit[1].T
    np.fill_diagonal(near, -9)
    return [set(np.argsort(-line)[:k].tolist()) for line in near]


def share(one: list[set[int]], other: list[set[int]]) -> float:
    return float(np.mean([len(a & b) / len(a) for a, b in zip(one, other, strict=True)]))


@pytest.fixture(
    params=["milvus", pytest.param("lancedb", marks=pytest.mark.slow), pytest.param("server", marks=pytest.mark.server)]
)
def uri(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "server":
        monkeypatch.setenv("EMBDIFF_STORE_TOKEN", TOKEN)
        return str(request.getfixturevalue("milvus_server"))
    if request.param == "lancedb":
        pytest.importorskip("lancedb")
    return f"{request.param}:{tmp_path / 'vectors.db'}"


def test_a_mapped_collection_is_written_beside_the_old_one(uri: str, tmp_path: Path) -> None:
    store = filled(uri)
    before = vectors_in(uri, "old")
    done = ed.adapt(store, OLD, named(Turned()))
    assert done.recovery.verdict == "good enough"
    assert done.recovery.recovery.low > 0.98
    assert (done.rows, done.fitted, done.reused) == (300, 300, False)
    after = vectors_in(uri, "old")
    np.testing.assert_array_equal(after.vectors, before.vectors)
    mapped = vectors_in(uri, done.mapped or "")
    assert (mapped.ids, mapped.texts) == (before.ids, before.texts)
    native = Turned().encode(TEXTS)
    np.testing.assert_allclose(mapped.vectors, native, atol=2e-3)
    with get_store(uri) as there:
        stamp = there.stamp(done.mapped or "") or {}
    assert stamp["source"]["mapped"]["from"]["model"] == "wordllama:64"
    assert stamp["source"]["model"] == "Turned"
    again = ed.adapt(store, OLD, named(Turned()))
    assert again.reused
    assert again.mapped == done.mapped
    assert again.recovery.recovery.value == done.recovery.recovery.value
    assert not list(tmp_path.glob(".*adapt*"))
    found = ed.doctor(f"{uri}#{done.mapped}")
    assert found.sound
    with get_store(uri) as there:
        for name in ("old", done.mapped or ""):
            there.drop(name)


def test_the_recovery_is_what_lists_by_hand_give(tmp_path: Path) -> None:
    """Five maps by scikit-learn's own ridge, each row by the one that did not see it."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    store = filled(f"milvus:{tmp_path / 'a.db'}")
    done = ed.adapt(store, OLD, "wordllama:128", dry_run=True)
    old, new = (ed.get_encoder(name).encode(list(TEXTS)) for name in (OLD, "wordllama:128"))
    found = ed.align(old, new, "ridge")
    mapped = np.empty_like(new)
    for part in range(5):
        seen = found.fold != part
        by = linear_model.Ridge(alpha=found.parts[part].penalty).fit(
            old[seen].astype(np.float64) - old[seen].mean(axis=0), new[seen].astype(np.float64)
        )
        mapped[~seen] = by.predict(old[~seen].astype(np.float64) - old[seen].mean(axis=0))
    native = top(new, new)
    assert done.recovery.recovery.value == pytest.approx(share(top(new, mapped), native), abs=0.01)
    assert done.recovery.staying.value == pytest.approx(share(top(old, old), native), abs=0.01)
    assert done.recovery.recovery.n == 300
    assert done.recovery.rows == 300
    assert done.mapped is None
    with get_store(f"milvus:{tmp_path / 'a.db'}") as there:
        assert there.names() == ["old"]


def test_an_unrelated_model_is_told_plainly(tmp_path: Path) -> None:
    store = filled(f"milvus:{tmp_path / 'a.db'}")
    done = ed.adapt(store, OLD, named(Unrelated()), dry_run=True)
    assert done.recovery.verdict == "not good enough"
    assert done.recovery.recovery.value < 0.2


def test_the_exported_map_is_applied_in_ten_lines(tmp_path: Path) -> None:
    store = filled(f"milvus:{tmp_path / 'a.db'}")
    done = ed.adapt(store, OLD, "wordllama:128", export=tmp_path / "map.npz")
    assert done.exported == str(tmp_path / "map.npz")
    assert done.mapped is None
    assert not done.of_queries
    found = np.load(tmp_path / "map.npz")  # without pickle
    x = ed.get_encoder(OLD).encode(list(TEXTS)).astype(np.float64)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = (x - found["source_centre"]) @ found["matrix"] + found["target_centre"]
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    written = ed.adapt(store, OLD, "wordllama:128")
    np.testing.assert_allclose(vectors_in(f"milvus:{tmp_path / 'a.db'}", written.mapped or "").vectors, y, atol=1e-6)
    by, unit, about = read_map(tmp_path / "map.npz")
    assert unit
    assert by.matrix.shape == (64, 128)
    assert about["recovery"]["verdict"] == done.recovery.verdict


def test_queries_of_a_new_model_are_mapped_into_the_old_collection(tmp_path: Path) -> None:
    store = filled(f"milvus:{tmp_path / 'a.db'}")
    done = ed.adapt(store, "wordllama:128", OLD, export=tmp_path / "queries.npz")
    assert done.of_queries
    by, _, _ = read_map(tmp_path / "queries.npz")
    assert by.matrix.shape == (128, 64)
    old, new = (ed.get_encoder(name).encode(list(TEXTS)) for name in (OLD, "wordllama:128"))
    assert done.recovery.staying.value == pytest.approx(share(top(old, old), top(new, new)), abs=0.01)
    with pytest.raises(ParameterError, match=r"those of wordllama:64 already\. To map queries into it, write --export"):
        ed.adapt(store, "wordllama:128", OLD)


def test_judged_queries_say_by_how_much_the_measure_falls(tmp_path: Path) -> None:
    ir_measures = pytest.importorskip("ir_measures")
    store = filled(f"milvus:{tmp_path / 'a.db'}")
    queries = ed.Corpus(
        tuple(text.rpartition(" ")[0] for text in TEXTS[:40]), tuple(f"q{row}" for row in range(40)), ids_given=True
    )
    expected = [(f"q{row}", f"d{row:03}", 1) for row in range(40)]
    done = ed.adapt(store, OLD, "wordllama:128", queries=queries, expected=expected, sample=100, dry_run=True)
    found = done.recovery
    assert found.drop is not None
    new, mapped, _ = (score.value for score in found.measures)
    assert found.drop.difference == pytest.approx(mapped - new, abs=1e-9)
    assert found.gain is not None
    assert found.gain.difference == pytest.approx(mapped - found.measures[2].value, abs=1e-9)
    assert found.rows >= 100
    qrels = [ir_measures.Qrel(*each) for each in expected]
    model = ed.get_encoder("wordllama:128")
    whole = ed.adapt(store, OLD, "wordllama:128", queries=queries, expected=expected, dry_run=True)
    near = model.encode(list(queries.items), role="query") @ model.encode(list(TEXTS)).T
    run = [ir_measures.ScoredDoc(f"q{q}", f"d{row:03}", float(near[q, row])) for q in range(40) for row in range(300)]
    value = ir_measures.calc_aggregate([ir_measures.nDCG @ 10], qrels, run)[ir_measures.nDCG @ 10]
    assert whole.recovery.measures[0].value == pytest.approx(value, abs=1e-6)
    assert whole.recovery.margin == 0.02


def test_a_command_that_is_killed_goes_on(tmp_path: Path) -> None:
    uri = f"milvus:{tmp_path / 'a.db'}"
    store = filled(uri)
    whole = ed.adapt(store, OLD, "wordllama:128", out=f"milvus:{tmp_path / 'whole.db'}")
    code = f"""
import os
from embdiff.bulk import adapt
from embdiff.stores import placing
from embdiff.stores.milvus.store import MilvusStore
placing.ROWS_PER_ADD = 70
add, calls = MilvusStore.add, iter(range(9))
def dying(self, name, rows):
    if next(calls) == 2:
        os._exit(9)
    add(self, name, rows)
MilvusStore.add = dying
adapt({store!r}, {OLD!r}, "wordllama:128", out={uri!r})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert list(tmp_path.glob(".a.db.adapt.partial-*"))
    told = CliRunner().invoke(app, ["doctor", uri, "--json"])
    assert {each["fault"] for each in json.loads(told.stdout)["findings"]} == {"unfinished", "left over", "index"}
    done = ed.adapt(store, OLD, "wordllama:128", out=uri)
    assert not done.reused
    mapped, wanted = (
        vectors_in(uri, done.mapped or ""),
        vectors_in(f"milvus:{tmp_path / 'whole.db'}", whole.mapped or ""),
    )
    np.testing.assert_array_equal(mapped.vectors, wanted.vectors)
    assert not list(tmp_path.glob(".a.db.adapt.partial-*"))


def test_a_collection_of_others_with_its_texts_elsewhere(tmp_path: Path) -> None:
    lancedb = pytest.importorskip("lancedb")
    vectors = ed.get_encoder(OLD).encode(list(TEXTS))
    records = [{"code": name, "emb": vector.tolist()} for name, vector in zip(CORPUS.ids, vectors, strict=True)]
    lancedb.connect(str(tmp_path / "theirs")).create_table("docs", records)
    store = f"lancedb:{tmp_path / 'theirs'}#docs?id=code"
    with pytest.raises(ParameterError, match="text= must be named"):
        ed.adapt(store, OLD, "wordllama:128")
    done = ed.adapt(store, OLD, "wordllama:128", corpus=CORPUS, out=f"milvus:{tmp_path / 'new.db'}")
    assert vectors_in(f"milvus:{tmp_path / 'new.db'}", done.mapped or "").ids == CORPUS.ids


def test_the_command(tmp_path: Path) -> None:
    store = filled(f"milvus:{tmp_path / 'a.db'}")
    runner = CliRunner()
    done = runner.invoke(app, ["adapt", store, "--from", OLD, "--to", "wordllama:128", "--dry-run", "--sample", "200"])
    assert done.exit_code == 0
    assert "Nothing was written" in done.stdout
    assert "Measured among 200 rows of 300, drawn" in " ".join(done.stdout.split())
    assert len(done.stdout.splitlines()) <= 40
    done = runner.invoke(app, ["adapt", store, "--from", OLD, "--to", "wordllama:128", "--json"])
    told = json.loads(done.stdout)
    assert told["as_model"].endswith("?id=id&text=text&encoder=wordllama:128")
    result = ed.compare(TEXTS, models=[told["as_model"].replace("id=id", "id=row"), "wordllama:128"], k=5)
    assert len(result.run.answers) == 2


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"to_model": "lsa:8"}, "must make vectors of any text"),
        ({"from_model": "wordllama:128"}, r"must be those of the model --from.*wordllama:128 makes 128 dimensions"),
        ({"from_model": "toy:64", "to_model": "toy:32"}, r"toy:64 has a median cosine"),
        ({"method": "magic"}, "must be one of procrustes, ridge, low-rank"),
        ({"sample": 5}, "--sample must be from 20"),
        ({"margin": 2.0}, "--margin must be from 0"),
        ({"out": "vectors.parquet"}, "is written to a store"),
        ({"out": "milvus:b.db", "export": "map.npz"}, "Leave one of them out"),
        ({"expected": [("a", "b")]}, "must come with their queries"),
        ({"store": "vectors.npy"}, "must be a collection in a store"),
        ({"store": "milvus:nothing.db"}, "must exist"),
        ({"store": "milvus:a.db#nothing"}, "One collection must be named"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    changed: dict[str, Any], told: str, tmp_path: Path
) -> None:
    store = filled("milvus:a.db")
    given = {"store": store, "from_model": OLD, "to_model": "wordllama:128", **changed}
    with pytest.raises(EmbdiffError, match=told) as raised:
        ed.adapt(**given)
    assert len(str(raised.value)) < 600
    assert {path.name for path in tmp_path.iterdir()} == {"a.db"}


def test_rows_that_cannot_be_mapped_are_named(tmp_path: Path) -> None:
    from pymilvus import MilvusClient

    filled("milvus:a.db")
    from milvus_lite.server_manager import server_manager_instance

    client = MilvusClient(str(tmp_path / "a.db"))
    client.load_collection("old")
    client.upsert("old", [{"row": 7, "id": "d007", "text": "x", "group": "", "vector": [0.0] * 64}])
    client.flush("old")
    client.close()
    server_manager_instance.release_server(str(tmp_path / "a.db"))
    with pytest.raises(DataError, match=r"1 that are null, zero or not finite in milvus:a\.db#old, for example 'd007'"):
        ed.adapt("milvus:a.db#old", OLD, "wordllama:128")


@pytest.mark.parametrize("damage", [b"", b"no zip", None])
def test_a_file_that_is_no_map_is_refused(damage: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    if damage is None:
        np.savez(
            path,
            matrix=np.zeros((2, 3)),
            source_centre=np.zeros(5),
            target_centre=np.zeros(3),
            unit=True,
            unit_after=True,
            about='{"format": 1, "method": "ridge"}',
        )
    else:
        path.write_bytes(damage)
    with pytest.raises(DataError, match="must be a file that 'embdiff adapt --export' wrote"):
        read_map(path)


def test_a_store_error_leaves_the_old_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from embdiff.stores.milvus.store import MilvusStore

    store = filled("milvus:a.db")
    before = vectors_in("milvus:a.db", "old")

    def refuse(*_: Any) -> None:
        raise StoreError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(MilvusStore, "add", refuse)
        with pytest.raises(StoreError, match="no room"):
            ed.adapt(store, OLD, "wordllama:128")
    np.testing.assert_array_equal(vectors_in("milvus:a.db", "old").vectors, before.vectors)
    assert not ed.adapt(store, OLD, "wordllama:128").reused
