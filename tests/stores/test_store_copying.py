"""Copying between stores: bit for bit, with the stamps, taken up after a crash, never over what is not ours."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import embdiff as ed
from embdiff.cli import app
from embdiff.errors import ParameterError, StoreError
from embdiff.indexes import IndexSpec
from embdiff.records import Corpus
from embdiff.stores import get_store
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.copying import copy_collections
from embdiff.stores.placing import place
from embdiff.stores.store import Store
from milvus_server import TOKEN

ROWS = 4_100
VECTORS = (np.random.default_rng(3).standard_normal((ROWS, 8)) * 100).astype(np.float32)
CORPUS = Corpus(
    tuple(f"text {row}" for row in range(ROWS)), tuple(f"ü{row}" for row in range(ROWS)), groups=("a", "") * (ROWS // 2)
)
SPEC = CollectionSpec("vectors", 8, "l2", IndexSpec.parse("ivf_flat(nlist=4,nprobe=4)"), ROWS, {"model": "any"})


def made(uri: str, spec: CollectionSpec = SPEC) -> str:
    with get_store(uri) as store:
        place(store, spec, CORPUS, VECTORS)
    return uri


def everything(store: Store) -> Any:
    part = store.read("vectors", 0, ROWS)
    return part.rows.tolist(), part.ids, part.texts, part.groups, part.vectors.tobytes()


def same(one: str, other: str) -> None:
    with get_store(one) as left, get_store(other) as right:
        assert everything(left) == everything(right)
        assert left.stamp("vectors") == right.stamp("vectors") == SPEC.full_stamp(complete=True)
        assert place(right, SPEC, CORPUS, VECTORS).reused


def test_a_copy_is_the_same_and_a_second_call_copies_nothing() -> None:
    made("milvus:a.db")
    first = copy_collections("milvus:a.db", "milvus:b.db")
    again = copy_collections("milvus:a.db", "milvus:b.db", collections=["vectors"])
    assert [one.copied for one in (*first.collections, *again.collections)] == [ROWS, 0]
    assert first.collections[0].digest == again.collections[0].digest
    assert first.left_out == {}
    same("milvus:a.db", "milvus:b.db")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("lancedb") is None, reason="needs the package lancedb")
def test_lite_to_lancedb_and_back() -> None:
    made("milvus:a.db")
    copy_collections("milvus:a.db", "lancedb:b")
    copy_collections("lancedb:b", "milvus:c.db")
    same("milvus:a.db", "lancedb:b")
    same("milvus:a.db", "milvus:c.db")


@pytest.mark.server
def test_lite_to_a_server_and_back(milvus_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBDIFF_STORE_TOKEN", TOKEN)
    made("milvus:a.db")
    copies = copy_collections("milvus:a.db", milvus_server)
    assert TOKEN not in json.dumps(copies.to_dict())
    copy_collections(milvus_server, "milvus:b.db", collections=["vectors"])
    same("milvus:a.db", milvus_server)
    same("milvus:a.db", "milvus:b.db")
    with get_store(milvus_server) as store:
        store.drop("vectors")


@pytest.mark.parametrize("calls", [1, 2])
def test_a_copy_that_was_killed_is_taken_up(calls: int, tmp_path: Path) -> None:
    made("milvus:a.db")
    code = f"""
        import os, signal, sys
        sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[1])]!r}
        from test_store_copying import *
        from embdiff.stores.milvus.store import MilvusStore
        add, calls = MilvusStore.add, []
        def kill(*args):
            add(*args)
            calls.append(args)
            if len(calls) == {calls}:
                os.kill(os.getpid(), signal.SIGKILL)
        MilvusStore.add = kill
        copy_collections("milvus:a.db", "milvus:b.db")
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with get_store("milvus:b.db") as store:
        assert store.count("vectors") == 2_000 * calls
        assert store.stamp("vectors") == SPEC.full_stamp(complete=False)
    assert copy_collections("milvus:a.db", "milvus:b.db").collections[0].copied == ROWS - 2_000 * calls
    same("milvus:a.db", "milvus:b.db")


@pytest.mark.parametrize(("start", "complete", "copied"), [(0, False, ROWS - 300), (9, False, ROWS), (0, True, ROWS)])
def test_what_was_begun_is_gone_on_with_where_it_is_a_beginning(start: int, complete: bool, copied: int) -> None:
    made("milvus:a.db")
    with get_store("milvus:a.db") as source, get_store("milvus:b.db") as target:
        target.create(SPEC)
        target.add("vectors", source.read("vectors", start, 300))
        if complete:  # as it says, but it is not
            target.build(SPEC)
            target.seal(SPEC)
    assert copy_collections("milvus:a.db", "milvus:b.db").collections[0].copied == copied
    same("milvus:a.db", "milvus:b.db")


def test_what_is_there_and_differs_is_left_alone() -> None:
    made("milvus:a.db")
    other = CollectionSpec("vectors", 8, "ip", IndexSpec.parse("flat"), ROWS, {"model": "other"})
    made("milvus:b.db", other)
    with pytest.raises(
        StoreError, match=r"not be in the target as another one\. Got vectors in milvus:b\.db .*--overw"
    ):
        copy_collections("milvus:a.db", "milvus:b.db")
    with get_store("milvus:b.db") as store:
        assert store.stamp("vectors") == other.full_stamp(complete=True)
    copy_collections("milvus:a.db", "milvus:b.db", overwrite=True)
    same("milvus:a.db", "milvus:b.db")


def test_a_stranger_is_never_replaced() -> None:
    made("milvus:a.db")
    with get_store("milvus:b.db") as store:
        store.ask._client.create_collection("vectors", dimension=8)  # type: ignore[attr-defined]
    for overwrite in (False, True):
        with pytest.raises(
            StoreError, match=r"one that embdiff made\. Got vectors in milvus:b\.db, which carries no st"
        ):
            copy_collections("milvus:a.db", "milvus:b.db", overwrite=overwrite)


def test_a_copy_with_other_rows_under_the_same_stamp_is_told() -> None:
    made("milvus:a.db")
    with get_store("milvus:b.db") as store:
        place(store, SPEC, CORPUS, -VECTORS)
    with pytest.raises(
        StoreError, match=r"the same rows as its source\. Got 4,100 rows for 4,100, or others.*overwrite"
    ):
        copy_collections("milvus:a.db", "milvus:b.db")
    assert copy_collections("milvus:a.db", "milvus:b.db", overwrite=True).collections[0].copied == ROWS
    same("milvus:a.db", "milvus:b.db")


def test_what_cannot_be_copied_is_told(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"stores that keep them\. Got memory:\. Name milvus:FILE"):
        copy_collections("milvus:a.db", "memory:")
    with pytest.raises(StoreError, match=r"must exist\. Got milvus:a\.db, which does not\. Check the path"):
        copy_collections("milvus:a.db", "milvus:b.db")
    assert not list(tmp_path.iterdir())
    with get_store("milvus:a.db") as store:
        with pytest.raises(StoreError, match=r"Got none: it has no collections\. Check the store"):
            copy_collections("milvus:a.db", "milvus:b.db")
        store.create(SPEC)
        store.ask._client.create_collection("theirs", dimension=8)  # type: ignore[attr-defined]
        with pytest.raises(StoreError, match=r"Got none: theirs carries no stamp .*; vectors is not complete\. Check"):
            copy_collections("milvus:a.db", "milvus:b.db")
        for name, why in (("vectors", "is not complete"), ("theirs", "carries no stamp of embdiff")):
            with pytest.raises(
                StoreError, match=rf"complete one that embdiff made\. Got {name} in .*, which {why}\. R"
            ):
                copy_collections("milvus:a.db", "milvus:b.db", collections=[name])
        with pytest.raises(
            StoreError, match=r"must be in milvus:a\.db\. Got no, which is not; there are: theirs, vect"
        ):
            copy_collections("milvus:a.db", "milvus:b.db", collections=["no"])


def test_a_row_that_is_missing_or_a_stamp_of_another_version_is_told() -> None:
    made("milvus:a.db")
    with get_store("milvus:a.db") as store:
        store.ask._client.delete("vectors", ids=[7])  # type: ignore[attr-defined]
        with pytest.raises(
            StoreError, match=r"each of its rows once\. Got 1999 rows for the numbers 0 to 1999 of vectors"
        ):
            copy_collections("milvus:a.db", "milvus:b.db")
        stamp = json.dumps({**SPEC.full_stamp(complete=True), "schema": 9})
        store.ask._client.alter_collection_properties("vectors", {"embdiff": stamp})  # type: ignore[attr-defined]
        with pytest.raises(
            StoreError, match=r"must be one that this version of embdiff writes\. Got another on vectors"
        ):
            copy_collections("milvus:a.db", "milvus:b.db")


def test_a_comparison_finds_what_was_copied() -> None:
    ed.compare("sample", models=["toy:8", "toy:16"], store="milvus:a.db", out="run")
    done = CliRunner().invoke(app, ["copy", "milvus:a.db", "milvus:b.db"])
    assert done.exit_code == 0, done.output
    assert "milvus:a.db → milvus:b.db" in done.output
    assert done.output.count("52") >= 4
    printed = json.loads(CliRunner().invoke(app, ["copy", "milvus:a.db", "milvus:b.db", "--json"]).stdout)
    assert [one["copied"] for one in printed["collections"]] == [0, 0]
    ed.compare("sample", models=["toy:8", "toy:16"], store="milvus:b.db", out="run")
    manifest = json.loads(Path("run/manifest.json").read_text(encoding="utf-8"))
    assert [model["collection"]["reused"] for model in manifest["models"]] == [True, True]


def test_stores_are_listed_with_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "lancedb" in CliRunner().invoke(app, ["stores"]).output
    monkeypatch.setattr("embdiff._registry.is_installed", lambda _: False)
    kinds = {kind["name"]: kind for kind in json.loads(CliRunner().invoke(app, ["stores", "--json"]).stdout)}
    assert kinds["lancedb"]["pip_line"] == "pip install 'embdiff[lancedb]'"
    assert kinds["milvus"]["pip_line"] == ""
