"""The parts of the stores that need no database: names, fields, calls, lists, stamps."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embdiff.indexes import IndexSpec
from embdiff.records import FloatArray
from embdiff.stores._lists import Lists, settled
from embdiff.stores.collection import Batch, CollectionSpec, collection_name
from embdiff.stores.milvus.layout import parts, to_arrays
from embdiff.stores.milvus.store import shapes_of
from embdiff.stores.placing import fit


@given(st.text(), st.text(), st.text())
def test_names_are_legal_in_every_store(run: str, model: str, fingerprint: str) -> None:
    name = collection_name(run, model, fingerprint)
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
    assert len(name) <= 255
    assert name == collection_name(run, model, fingerprint)


def test_names_are_readable_and_never_shared() -> None:
    name = collection_name("Première écoute", "st:BAAI/bge-small-en-v1.5", "f")
    assert re.fullmatch(r"Premiere_ecoute_st_BAAI_bge_small_en_v1_5_[0-9a-f]{12}", name)
    assert collection_name("2024", "toy", "f").startswith("c_2024_toy_")
    assert collection_name("歌詞", "模型", "f").startswith("run_model_")
    alike = [("r", "st:a/b", "f"), ("r", "st:a-b", "f"), ("r", "st:a/b", "g"), ("s", "st:a/b", "f")]
    assert len({collection_name(*one) for one in alike}) == 4


def rows_of(texts: tuple[str, ...]) -> Batch:
    ids = tuple(map(str, range(len(texts))))
    return Batch(np.arange(len(texts)), ids, texts, ("",) * len(texts), np.zeros((len(texts), 2), dtype=np.float32))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5), st.integers(4, 12))
def test_cutting_never_splits_a_character(texts: list[str], limit: int) -> None:
    rows = rows_of(tuple(t.replace("\0", "") for t in texts))
    fitted, cuts = fit(rows, limit, "any")
    assert (fitted.ids, fitted.groups) == (rows.ids, rows.groups)
    for row, (whole, kept) in enumerate(zip(rows.texts, fitted.texts, strict=True)):
        size = len(whole.encode())
        assert whole.startswith(kept)
        assert len(kept.encode()) <= limit
        assert size <= limit or len(kept.encode()) > limit - 4
        assert [c.bytes_before for c in cuts if c.row == row] == ([size] if size > limit else [])


def test_without_a_limit_nothing_is_looked_at() -> None:
    rows = rows_of(("a\ud83d",))
    assert fit(rows, None, "any") == (rows, ())


@given(st.lists(st.integers(0, 300), max_size=20))
def test_calls_stay_small_and_lose_nothing(lengths: list[int]) -> None:
    vector = np.zeros(2, dtype=np.float32)
    records: list[dict[str, Any]] = [{"vector": vector, "id": "", "text": "x" * n, "group": ""} for n in lengths]
    calls = list(parts(records, 1000))
    assert [record for part in calls for record in part] == records
    for part in calls:
        assert part
        assert len(part) == 1 or sum(4 * len(record["text"]) + 40 for record in part) <= 1000


def test_short_lists_become_padded_arrays() -> None:
    hits = [SimpleNamespace(ids=[4, 2], distances=[0.5, 2.0]), SimpleNamespace(ids=[], distances=[])]
    rows, similarity = to_arrays(hits, 3, "l2")
    assert rows.tolist() == [[4, 2, -1], [-1, -1, -1]]
    np.testing.assert_array_equal(similarity, np.array([[-0.5, -2, np.nan], [np.nan] * 3], np.float32))


@pytest.mark.parametrize("rows", [7, 30, 150])
@pytest.mark.parametrize("k", [1, 5, 7])
@pytest.mark.parametrize("seed", range(3))
def test_lists_that_end_in_a_tie_are_asked_again(rows: int, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    table = random.integers(0, 3, (4, rows)).astype(np.float32)
    asked = []

    def ask(queries: FloatArray, width: int) -> Lists:
        asked.append(len(queries))
        index = queries[:, 0].astype(int)
        shuffled = np.stack([random.permutation(rows) for _ in index])  # any order among equals
        order = np.argsort(-np.take_along_axis(table[index], shuffled, 1), axis=1, kind="stable")
        found = np.take_along_axis(shuffled, order, 1)[:, :width]
        return found, np.take_along_axis(table[index], found, 1)

    queries = np.arange(4, dtype=np.float32)[:, None]
    found, similarity = settled(ask, queries, k, rows)
    np.testing.assert_array_equal(found, np.argsort(-table, axis=1, kind="stable")[:, :k])
    np.testing.assert_array_equal(similarity, -np.sort(-table, axis=1)[:, :k])
    assert len(asked) <= 2


def test_a_stamp_tells_complete_from_half_made_and_forgets_how_to_search() -> None:
    def stamp(index: str, *, complete: bool) -> dict[str, Any]:
        spec = CollectionSpec("any", 2, "l2", IndexSpec.parse(index), 9, {"keys": ("a", "b")})
        return spec.full_stamp(complete=complete)

    one = stamp("ivf_flat(nlist=4,nprobe=1)", complete=True)
    assert one == stamp("ivf_flat(nlist=4,nprobe=4)", complete=True)
    assert one != stamp("ivf_flat(nlist=4,nprobe=1)", complete=False)
    assert one != stamp("ivf_flat(nlist=3,nprobe=1)", complete=True)
    assert one["index"] == "ivf_flat(nlist=4)"
    assert one["source"] == {"keys": ["a", "b"]}


@pytest.mark.parametrize(
    ("version", "lite", "sparse"),
    [
        ("Milvus v2.3.5", False, False), ("Milvus v2.4.0-rc1", False, True), ("Milvus v2.10.1", False, True),
        ("Milvus 3.0.0", False, True), ("Milvus unknown", False, False), ("Milvus Lite 3.2.2", True, True),
    ],
)  # fmt: skip
def test_servers_hold_sparse_vectors_from_2_4_on(version: str, lite: bool, sparse: bool) -> None:
    assert ("sparse" in shapes_of(version, lite=lite)) is sparse
