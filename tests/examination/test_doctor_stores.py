"""The doctor finds each fault that is planted in Milvus Lite, LanceDB and a server, names its rows, changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from planted_faults import CORPUS, ROWS, TEXTS, VECTORS, World

import embdiff as ed
from embdiff.errors import EmbdiffError, StoreError

RNG = np.random.default_rng(8)


def faults(found: ed.Diagnosis) -> dict[str, list[str]]:
    """Return the ids that are named, by fault; that Milvus Lite has still to index what was written is told besides."""
    told = [each for each in found.findings if (each.fault, each.severity) != ("index", "untidy")]
    return {each.fault: [place.id for place in each.places] for each in told}


def looked_at(world: World, target: str, **options: Any) -> ed.Diagnosis:
    before = world.files()
    found = ed.doctor(target, **options)
    assert world.files() == before
    for each in found.findings:
        assert each.told
        assert each.mend
        assert each.where
    return found


def test_a_sound_collection_of_ours_and_one_of_others_are_let_alone(world: World) -> None:
    world.placed()
    world.theirs(VECTORS)
    of_ours = looked_at(world, f"{world.uri}#ours", corpus=CORPUS)
    assert of_ours.sound
    assert any("those that were encoded" in each for each in of_ours.looked)
    of_theirs = looked_at(world, f"{world.uri}#theirs?text=body")
    assert of_theirs.sound
    assert any("carries no stamp" in each for each in of_theirs.unseen)
    if world.kind != "server":  # where other tests may have theirs
        assert looked_at(world, world.uri).sound


OURS: dict[str, tuple[Callable[[World], None], dict[str, list[str]]]] = {
    "text changed": (
        lambda world: world.put("ours", [world.record(7, text="another text")]),
        {"stale text": []},
    ),
    "row deleted": (
        lambda world: world.delete("ours", "row == 5" if world.kind != "lancedb" else "row = 5"),
        {"rows missing": ["5"]},
    ),
    "row beyond": (
        lambda world: world.put("ours", [{**world.record(0), "row": 77, "id": "new"}]),
        {"mixed stamps": ["77"]},
    ),
    "zero": (lambda world: world.put("ours", [world.record(4, vector=[0.0] * 32)]), {"zero": ["doc-04"]}),
    "longer": (
        lambda world: world.put("ours", [world.record(9, vector=(3 * VECTORS[9]).tolist())]),
        {"lengths": ["doc-09"]},
    ),
    "vector of another row": (
        lambda world: world.put("ours", [world.record(1, vector=VECTORS[2].tolist())]),
        {"equal vectors": ["doc-01", "doc-02"]},
    ),
    "nearly the vector of another row": (
        lambda world: world.put("ours", [world.record(1, vector=(VECTORS[2] + 1e-5).tolist())]),
        {"equal vectors": ["doc-01", "doc-02"]},
    ),
}


@pytest.mark.parametrize("fault", OURS)
def test_faults_in_a_collection_of_ours(world: World, fault: str) -> None:
    plant, wanted = OURS[fault]
    world.placed()
    plant(world)
    found = faults(looked_at(world, f"{world.uri}#ours"))
    for name, ids in wanted.items():
        assert sorted(found[name]) == ids
    assert set(found) - set(wanted) <= {"stale text"}  # the digest is of ids and rows, too


def test_the_corpus_tells_which_texts_changed(world: World) -> None:
    world.placed()
    now = ed.Corpus((*TEXTS[:3], "quite another", *TEXTS[4:-1], "new"), (*CORPUS.ids[:-1], "doc-new"), ids_given=True)
    found = looked_at(world, f"{world.uri}#ours", corpus=now)
    assert faults(found)["rows missing"] == ["doc-new"]
    stale = [each for each in found.findings if each.fault == "stale text"]
    assert {place.id for each in stale for place in each.places} == {"doc-03", "doc-59"}


def test_a_key_that_is_there_twice(world: World) -> None:
    if world.kind == "lite":
        pytest.skip("Milvus Lite writes over a key that is there")
    world.placed()
    world.twice("ours", world.record(6))
    found = looked_at(world, f"{world.uri}#ours")
    assert faults(found)["rows twice"] == (["6"] if world.kind == "lancedb" else [])  # the server does not say which


def test_a_collection_without_its_stamp_and_one_left_half_made(world: World) -> None:
    from embdiff.indexes import IndexSpec
    from embdiff.stores import get_store
    from embdiff.stores.collection import CollectionSpec

    with get_store(world._open_uri) as store:
        for name in ("half", "bare"):
            store.drop(name)
            world.made.append(name)
            spec = CollectionSpec(name, 32, "cosine", IndexSpec.parse("flat"), ROWS, {"model": "any"})
            store.create(spec)
            from embdiff.stores.collection import Batch

            store.add(name, Batch(np.arange(ROWS), CORPUS.ids, TEXTS, ("",) * ROWS, VECTORS))
            store.build(spec)
    assert set(faults(looked_at(world, f"{world.uri}#half"))) == {"unfinished"}
    if world.kind == "lancedb":
        import lancedb

        table = lancedb.connect(str(world.path)).open_table("bare")
        table.update_field_metadata({"path": "row", "metadata": {"embdiff": "{not json"}})
    else:
        with world.client() as client:
            client.alter_collection_properties("bare", {"embdiff": "{not json"})
    found = looked_at(world, f"{world.uri}#bare")
    assert set(faults(found)) == {"no stamp"}
    assert found.findings[0].severity == "wrong"


def some(change: Callable[[Any], None], count: int = ROWS) -> Any:
    vectors = VECTORS[:count].copy()
    change(vectors)
    return vectors


def halves(vectors: Any) -> None:
    vectors[: ROWS // 2] *= np.linspace(4, 5, ROWS // 2)[:, None]


def spread(vectors: Any) -> None:
    vectors *= np.linspace(0.5, 2, ROWS)[:, None]


def collapsed(vectors: Any) -> None:
    vectors *= 0.02
    vectors[:, 0] += 1


THEIRS: dict[str, tuple[Any, str, str, list[str]]] = {
    "zero": (some(lambda x: x.__setitem__(3, 0.0)), "COSINE", "zero", ["k03"]),
    "half of another length": (some(halves), "IP", "lengths", ["k00", "k01", "k02"]),
    "inner product of mixed lengths": (some(spread), "IP", "metric", ["k59", "k58", "k57"]),
    "one vector for many texts": (
        some(lambda x: x.__setitem__(slice(10, 14), x[20])),
        "COSINE",
        "equal vectors",
        ["k10", "k11", "k12"],
    ),
    "collapsed": (some(collapsed), "COSINE", "collapsed", ["k00", "k01", "k02"]),
}


@pytest.mark.parametrize("fault", THEIRS)
def test_faults_in_a_collection_of_others(world: World, fault: str) -> None:
    vectors, metric, name, ids = THEIRS[fault]
    if world.kind == "lancedb" and metric == "IP" and name == "metric":
        pytest.skip("a table of others has no metric without an index")
    world.theirs(vectors, metric)
    found = faults(looked_at(world, f"{world.uri}#theirs?text=body&id=code"))
    assert sorted(found[name]) == sorted(ids)
    assert set(found) <= {name, "metric"}


def test_rows_without_a_vector(world: World) -> None:
    if world.kind == "server":
        pytest.skip("this server has no nullable vectors")
    world.theirs([None if row in (2, 40) else each for row, each in enumerate(VECTORS)])
    found = faults(looked_at(world, f"{world.uri}#theirs?text=body&id=code"))
    assert found == {"null": ["k02", "k40"]}


def test_vectors_of_another_dimension_and_not_finite(world: World) -> None:
    if world.kind == "lancedb":
        world.theirs([each[:16] if row == 8 else each for row, each in enumerate(VECTORS)])
        assert faults(looked_at(world, f"{world.uri}#theirs?text=body&id=code")) == {"dimension": ["k08"]}
    if world.kind == "lite":
        world.theirs(some(lambda x: x.__setitem__((5, 0), np.nan)))
        assert faults(looked_at(world, f"{world.uri}#theirs?text=body&id=code")) == {"not finite": ["k05"]}


def test_no_index(world: World) -> None:
    if world.kind == "lancedb":
        pytest.skip("LanceDB searches without an index, exactly")
    world.theirs(VECTORS, metric="")
    found = looked_at(world, f"{world.uri}#theirs?text=body")
    assert "index" in faults(found)
    if world.kind == "server":  # which reads nothing of it then
        assert any("rows of theirs" in each for each in found.unseen)


def test_what_is_drawn_is_said(world: World) -> None:
    world.placed()
    found = looked_at(world, f"{world.uri}#ours", rows=20, seed=4)
    assert any("20 of 60 rows, drawn (seed 4)" in each for each in found.looked)
    assert any("40 of the 60 rows" in each for each in found.unseen)


def test_a_model_tells_which_vectors_are_not_its_own(world: World) -> None:
    pytest.importorskip("wordllama")
    model = ed.get_encoder("wordllama:64")
    vectors, stamp = model.encode(list(TEXTS)), model.stamp.to_dict()
    world.placed(vectors=vectors, **{**stamp, "normalized": True})
    sound = looked_at(world, f"{world.uri}#ours", model="wordllama:64")
    assert faults(sound) == {}
    assert any("60 rows, drawn, were encoded again with wordllama:64" in each for each in sound.looked)
    other = model.encode(["quite another sentence"])[0]
    world.put("ours", [world.record(11, vector=other.tolist())])
    found = looked_at(world, f"{world.uri}#ours", model="wordllama:64")
    assert faults(found) == {"stale text": ["doc-11"]}
    assert set(faults(looked_at(world, f"{world.uri}#ours", model="wordllama:128"))) == {"other model"}


def test_vectors_of_another_model_altogether(world: World) -> None:
    pytest.importorskip("wordllama")
    rotation = np.linalg.qr(RNG.standard_normal((64, 64)))[0].astype(np.float32)
    vectors = ed.get_encoder("wordllama:64").encode(list(TEXTS)) @ rotation
    world.placed(vectors=vectors, **{**ed.get_encoder("wordllama:64").stamp.to_dict(), "normalized": True})
    found = looked_at(world, f"{world.uri}#ours", model="wordllama:64")
    assert set(faults(found)) == {"other model"}
    assert found.findings[0].rows == ROWS


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("{uri}#nothing", r"must be in .*Got 'nothing', which is not"),
        ("{uri}#theirs?text=nix", r"text= must be in theirs"),
        ("{uri}#theirs?vector=body", r"vector= must be one of float vectors in theirs"),
    ],
)
def test_what_is_not_there_is_refused(world: World, target: str, told: str) -> None:
    world.theirs(VECTORS)
    with pytest.raises(EmbdiffError, match=told):
        ed.doctor(target.format(uri=world.uri))


def test_a_store_that_is_not_there_is_not_made(tmp_path: Any) -> None:
    for kind in ("milvus", "lancedb"):
        with pytest.raises(StoreError, match="must exist"):
            ed.doctor(f"{kind}:{tmp_path / 'nothing'}")
    assert not (tmp_path / "nothing").exists()
