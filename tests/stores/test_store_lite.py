"""Milvus Lite: paths, locks, noise, crashes, and that no search of ours is by brute force."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embdiff.errors import ParameterError, StoreError
from embdiff.indexes import IndexSpec
from embdiff.records import Corpus, Metric
from embdiff.stores import get_store
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.milvus.lite import close_lite, open_lite, without_clustering_warning
from embdiff.stores.placing import place

pytestmark = pytest.mark.floors
VECTORS = np.random.default_rng(3).standard_normal((51, 8)).astype(np.float32)
CORPUS = Corpus(tuple(f"text {row}" for row in range(51)), tuple(map(str, range(51))))


def spec_of(index: str = "flat", metric: Metric = "cosine") -> CollectionSpec:
    return CollectionSpec("vectors", 8, metric, IndexSpec.parse(index), 51, {"model": "any"})


def in_another_process(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)


def test_a_collection_survives_closing(tmp_path: Path) -> None:
    uri = f"milvus:{tmp_path / 'new' / 'folders' / 'ünï.db'}"
    with get_store(uri) as store:
        assert store.uri == uri
        assert not place(store, spec_of(), CORPUS, VECTORS).reused
        before = store.search(spec_of(), VECTORS, 5)
    with get_store(uri) as store:
        assert place(store, spec_of(), CORPUS, VECTORS).reused
        np.testing.assert_array_equal(store.search(spec_of(), VECTORS, 5).rows, before.rows)


def test_one_process_may_open_it_twice_another_may_not_until_it_is_closed(tmp_path: Path) -> None:
    open_it = f"""
        from embdiff.stores import get_store
        try:
            get_store("milvus:{tmp_path}/a.db").close()
            print("opened")
        except Exception as error:
            print(type(error).__name__, error)
    """
    first = get_store(f"milvus:{tmp_path}/a.db")
    second = get_store("milvus:a.db")  # the same path: tests run in tmp_path
    place(first, spec_of(), CORPUS, VECTORS)
    assert second.names() == ["vectors"]
    first.close()
    first.close()
    assert second.count("vectors") == 51
    locked = in_another_process(open_it)
    assert locked.stderr == ""
    assert locked.stdout.startswith("StoreError A Milvus Lite store must be open in one process only. Got ")
    assert "another process holds" in locked.stdout
    assert "milvus-lite server --data-dir" in locked.stdout
    second.close()
    assert in_another_process(open_it).stdout == "opened\n"


def test_a_client_of_the_users_own_on_the_same_path_lives_on(tmp_path: Path) -> None:
    from pymilvus import MilvusClient

    theirs = MilvusClient(str(tmp_path / "a.db"))
    with get_store("milvus:a.db") as store:
        place(store, spec_of(), CORPUS, VECTORS)
    assert theirs.list_collections() == ["vectors"]
    theirs.close()


FORCE_IT = """
    import grpc
    from pymilvus import MilvusClient
    from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

    for token in ("", "root:Milvus", "guess"):
        try:
            MilvusClient("{url}", token=token, timeout=5).list_collections()
            print("read")
        except Exception as error:
            print("refused" if "belongs to another process" in str(error.__cause__) else repr(error))
    calls = milvus_pb2_grpc.MilvusServiceStub(grpc.insecure_channel("{url}".removeprefix("http://")))
    for metadata in ((), (("authorization", "Z3Vlc3M="),)):
        for call, request in (
            (calls.DropCollection, milvus_pb2.DropCollectionRequest(collection_name="vectors")),
            (calls.Query, milvus_pb2.QueryRequest(collection_name="vectors", expr="row < 2", output_fields=["text"])),
            (calls.GetVersion, milvus_pb2.GetVersionRequest()),
        ):
            try:
                print("answered", call(request, timeout=20, metadata=metadata))
            except grpc.RpcError as error:
                print("refused" if error.code() == grpc.StatusCode.UNAUTHENTICATED else repr(error))
"""


def test_another_process_can_neither_read_nor_drop_what_is_open(tmp_path: Path) -> None:
    with get_store(f"milvus:{tmp_path}/a.db") as store:
        place(store, spec_of(), CORPUS, VECTORS)
        url, token = open_lite(tmp_path / "a.db")
        close_lite(tmp_path / "a.db")
        tried = in_another_process(FORCE_IT.format(url=url))
        assert tried.stdout.split("\n") == ["refused"] * 9 + [""], tried.stderr
        assert store.count("vectors") == 51
    assert len(token) == 64
    assert token not in "".join(tried.stdout + tried.stderr)


def test_no_other_process_may_share_the_port(tmp_path: Path) -> None:
    """With SO_REUSEPORT, for which gRPC asks by default, it would get some of the calls, and the token with them."""
    with get_store(f"milvus:{tmp_path}/a.db"):
        url, _ = open_lite(tmp_path / "a.db")
        close_lite(tmp_path / "a.db")
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            with pytest.raises(OSError, match="in use"):
                thief.bind(("127.0.0.1", int(url.rpartition(":")[2])))


def test_a_folder_left_open_is_closed_with_the_process(tmp_path: Path) -> None:
    done = in_another_process(f"""
        from embdiff.stores import get_store
        store = get_store("milvus:{tmp_path}/a.db")
        print(store.names())
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = get_store(f"milvus:{tmp_path / 'a.db'}")
    store.close()
    with pytest.raises(StoreError, match=r"A store must be open to list the collections\. Got milvus:.*closed"):
        store.names()


def test_paths_that_hold_something_else_are_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.execute("create table any (x)")
    (tmp_path / "notes.db").write_text("notes")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(StoreError, match=r"old\.db, a file in the format of milvus-lite 2\. Name another path"):
        get_store("milvus:old.db")
    with pytest.raises(StoreError, match=r"notes\.db, a file\. Name another path"):
        get_store("milvus:notes.db")
    with pytest.raises(StoreError, match=r"a folder with other files in it.*milvus:.*home/vectors\.db"):
        get_store("milvus:home")
    with pytest.raises(StoreError, match=r"notes\.db/a\.db: what should be its folder is a file"):
        get_store("milvus:notes.db/a.db")
    with pytest.raises(ParameterError, match=r"must name its path\. Got 'milvus:'\. Write milvus:vectors\.db"):
        get_store("milvus:")
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["letter.txt"]
    (tmp_path / "empty").mkdir()
    get_store("milvus:empty").close()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder where nobody may write, such as /proc")
def test_a_path_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(StoreError, match=r"must be a path that can be read and written\. Got /proc/any\.db: No such"):
        get_store("milvus:/proc/any.db")


def test_a_folder_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(StoreError, match=r"a\.db: Permission denied\. Name a path in a folder of yours"):
        get_store(f"milvus:{tmp_path / 'a.db'}")


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
@pytest.mark.parametrize("index", ["flat", "ivf_flat(nlist=4,nprobe=4)", "hnsw"])
def test_nothing_is_searched_by_brute_force(
    tmp_path: Path, metric: Metric, index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Brute force in Lite builds a cube of queries × rows × dim floats for l2: 129 GiB for 1,000 × 90,000 × 384."""

    def refuse(*_: Any) -> None:
        raise AssertionError("searched by brute force")

    monkeypatch.setattr("milvus_lite.index.brute_force.BruteForceIndex.search", refuse)
    spec = spec_of(index, metric)
    for _ in ("built", "reopened"):
        with get_store(f"milvus:{tmp_path / 'a.db'}") as store:
            place(store, spec, CORPUS, VECTORS)
            assert store.search(spec, VECTORS, 5).rows.shape == (51, 5)


@pytest.mark.parametrize("left", [(), ("schema.json.tmp",)])
def test_a_collection_killed_in_the_making_is_made_again(tmp_path: Path, left: tuple[str, ...]) -> None:
    spec = spec_of("ivf_flat(nlist=4,nprobe=2)")
    with get_store(f"milvus:{tmp_path / 'a.db'}"):
        pass
    unborn = tmp_path / "a.db" / "collections" / spec.name
    unborn.mkdir()
    for name in left:
        (unborn / name).write_text("{")
    other = tmp_path / "a.db" / "collections" / "not_ours"
    other.mkdir()
    (other / "notes.txt").write_text("kept")
    with get_store(f"milvus:{tmp_path / 'a.db'}") as store:
        assert store.names() == []
        place(store, spec, CORPUS, VECTORS)
        assert store.count(spec.name) == len(VECTORS)
    assert (other / "notes.txt").read_text() == "kept"


def test_building_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with get_store(f"milvus:{tmp_path / 'a.db'}") as store:
        place(store, spec_of("ivf_flat(nlist=4,nprobe=4)"), CORPUS, VECTORS)
        with pytest.raises(StoreError):
            store.count("missing")
    assert capfd.readouterr() == ("", "")


def test_only_the_clustering_warning_is_swallowed(capfd: pytest.CaptureFixture[str]) -> None:
    def speak() -> None:
        os.write(2, b"before\nWARNING clustering 51 points to 4 centroids: please provide ...\nafter\n")
        raise RuntimeError("shown")

    with pytest.raises(RuntimeError, match="shown"), without_clustering_warning(rows=51, nlist=4):
        speak()
    assert capfd.readouterr().err == "before\nafter\n"
    with pytest.raises(RuntimeError, match="shown"), without_clustering_warning(rows=1000, nlist=4):
        speak()
    assert "WARNING" in capfd.readouterr().err


def test_a_process_killed_while_inserting_leaves_nothing_that_is_reused(tmp_path: Path) -> None:
    killed = in_another_process(f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_store_lite import *
        from embdiff.stores import placing
        placing.ROWS_PER_ADD = 20
        store = get_store("milvus:{tmp_path}/a.db")
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
    with get_store("milvus:a.db") as store:
        assert store.names() == ["vectors"]
        assert store.count("vectors") == 40
        assert not place(store, spec_of(), CORPUS, VECTORS).reused
        assert store.count("vectors") == 51
