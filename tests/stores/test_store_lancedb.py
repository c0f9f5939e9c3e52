"""LanceDB: folders, other processes, crashes, and which indexes it has."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from embdiff.errors import MissingDependencyError, ParameterError, StoreError
from embdiff.indexes import IndexSpec
from embdiff.records import Corpus, Metric
from embdiff.stores import get_store
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.placing import place

pytestmark = [
    pytest.mark.floors,
    pytest.mark.slow,  # LanceDB comes with make test-all only
    pytest.mark.skipif(find_spec("lancedb") is None, reason="needs the package lancedb"),
]
VECTORS = np.random.default_rng(3).standard_normal((300, 8)).astype(np.float32)
CORPUS = Corpus(tuple(f"text {row}" for row in range(300)), tuple(map(str, range(300))))


def spec_of(index: str = "flat", metric: Metric = "cosine", **stamp: str) -> CollectionSpec:
    return CollectionSpec("vectors", 8, metric, IndexSpec.parse(index), 300, stamp)


def in_another_process(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120)


def test_a_collection_survives_closing_and_another_process_may_write_beside(tmp_path: Path) -> None:
    uri = f"lancedb:{tmp_path / 'new' / 'ünï'}"
    with get_store(uri) as store:
        assert not place(store, spec_of(), CORPUS, VECTORS).reused
        before = store.search(spec_of(), VECTORS, 5)
        other = in_another_process(f"""
            import sys
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            from test_store_lancedb import *
            with get_store({uri!r}) as store:
                print(place(store, spec_of(), CORPUS, VECTORS).reused, store.names())
                print(place(store, spec_of(revision="2"), CORPUS, -VECTORS).reused)
        """)
        assert other.stdout == "True ['vectors']\nFalse\n", other.stderr
        assert store.stamp("vectors") == spec_of(revision="2").full_stamp(complete=True)
        np.testing.assert_array_equal(store.read("vectors", 0, 300).vectors, -VECTORS)
        assert not np.array_equal(before.rows, store.search(spec_of(), VECTORS, 5).rows)
    store.close()
    with pytest.raises(
        StoreError, match=r"must be open to list the collections\. Got lancedb:.*closed\. Open it again"
    ):
        store.names()


def test_equal_commands_fill_one_table_one_after_the_other(tmp_path: Path) -> None:
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_store_lancedb import *
        with get_store("lancedb:{tmp_path / "l"}") as store:
            print(place(store, spec_of(), CORPUS, VECTORS).reused)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with get_store(f"lancedb:{tmp_path / 'l'}") as store:
        with store.filling("vectors"):
            others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
            with pytest.raises(subprocess.TimeoutExpired):
                others[0].wait(10)
            assert store.names() == []
        assert sorted(other.communicate(timeout=120)[0] for other in others) == ["False\n", "True\n"]
        assert store.count("vectors") == 300
    assert [path.name for path in (tmp_path / "l").iterdir()] == ["vectors.lance"]


def test_a_process_killed_while_inserting_leaves_nothing_that_is_reused(tmp_path: Path) -> None:
    killed = in_another_process(f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_store_lancedb import *
        from embdiff.stores import placing
        placing.ROWS_PER_ADD = 100
        store = get_store("lancedb:{tmp_path}/a")
        add, calls = store.add, []
        def kill(*args):
            add(*args)
            calls.append(args)
            if len(calls) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        store.add = kill
        place(store, spec_of(), CORPUS, VECTORS)
    """)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with get_store("lancedb:a") as store:
        assert store.count("vectors") == 200
        assert store.stamp("vectors") == spec_of().full_stamp(complete=False)
        assert not place(store, spec_of(), CORPUS, VECTORS).reused
        assert store.count("vectors") == 300


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
@pytest.mark.parametrize("index", ["ivf_flat(nlist=4,nprobe=4)", "ivf_sq8(nlist=4,nprobe=4)", "hnsw(ef=100)"])
def test_indexes(tmp_path: Path, index: str, metric: Metric) -> None:
    with get_store(f"lancedb:{tmp_path}") as store:
        place(store, spec_of("flat", metric), CORPUS, VECTORS)
        exact = store.search(spec_of("flat", metric), VECTORS, 10)
        place(store, spec_of(index, metric), CORPUS, VECTORS)
        found = store.search(spec_of(index, metric), VECTORS, 10)
    share = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.rows, exact.rows, strict=True)])
    assert share == 1 if index.startswith("ivf_flat") else share > 0.8
    assert found.index == str(IndexSpec.parse(index))


@pytest.mark.parametrize("index", ["flat", "ivf_flat(nlist=4,nprobe=4)"])
def test_small_inner_products_are_told_apart(tmp_path: Path, index: str) -> None:
    """LanceDB itself gives one minus the inner product: those below 6e-8 are one distance to it."""
    small = VECTORS * np.float32(1e-6)
    truth = small.astype(np.float64) @ small[:50].T.astype(np.float64)
    with get_store(f"lancedb:{tmp_path}") as store:
        place(store, spec_of(index, "ip"), CORPUS, small)
        found = store.search(spec_of(index, "ip"), small[:50], 10)
    assert (found.rows == np.argsort(-truth.T, axis=1)[:, :10]).mean() > 0.999
    np.testing.assert_allclose(found.similarity, np.take_along_axis(truth.T, found.rows, 1), rtol=1e-5)


def test_probing_one_list_of_four_misses_rows(tmp_path: Path) -> None:
    with get_store(f"lancedb:{tmp_path}") as store:
        place(store, spec_of("ivf_flat(nlist=4,nprobe=4)"), CORPUS, VECTORS)
        whole = store.search(spec_of("ivf_flat(nlist=4,nprobe=4)"), VECTORS, 10)
        one = spec_of("ivf_flat(nlist=4,nprobe=1)")
        assert place(store, one, CORPUS, VECTORS).reused
        found = store.search(one, VECTORS, 10)
    assert 0.3 < (found.rows == whole.rows).mean() < 0.99


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with get_store("lancedb:a") as store:
        with pytest.raises(ParameterError, match=r"must be one of flat, ivf_flat, ivf_sq8, hnsw\. Got autoindex\."):
            place(store, spec_of("autoindex"), CORPUS, VECTORS)
        with pytest.raises(
            StoreError, match=r"LanceDB must be able to search vectors\. Got from lancedb:a: .*not found"
        ):
            store.search(spec_of(), VECTORS, 3)
    for uri in ("lancedb:", "lancedb:s3://bucket"):
        with pytest.raises(ParameterError, match=rf"must name a local folder\. Got '{uri}'\. Write lancedb:vectors"):
            get_store(uri)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"can be read and written\. Got file/a: Not a directory\. Name a path"):
        get_store("lancedb:file/a")
    monkeypatch.setattr("embdiff._registry.is_installed", lambda module: module != "lancedb")
    with pytest.raises(MissingDependencyError, match=r"store 'lancedb' needs 'lancedb', .* 'embdiff\[lancedb\]'"):
        get_store("lancedb:a")
