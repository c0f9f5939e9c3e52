"""Text forms of stores, and servers that do not answer as they should."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from embdiff.errors import ParameterError, StoreError, UnknownNameError
from embdiff.indexes import IndexSpec
from embdiff.records import Corpus
from embdiff.stores import get_store, list_stores
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.milvus.address import Address
from embdiff.stores.placing import place


def test_stores_are_listed() -> None:
    assert list_stores() == ["http", "https", "lancedb", "memory", "milvus"]


def test_importing_stores_loads_no_database() -> None:
    code = (
        "import sys, embdiff.stores, embdiff.comparison; "
        "print({'pymilvus', 'milvus_lite', 'grpc', 'faiss', 'lancedb'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("speak.db", r"Got 'speak\.db'\. Write milvus:speak\.db for a Milvus Lite file\."),
        ("out/vectors", r"Write milvus:out/vectors for a Milvus Lite file\."),
        ("memori:", r"Got 'memori:'\. Did you mean 'memory'\?"),
        ("milvis:a.db", r"Did you mean 'milvus'\?"),
        ("redis://me:secret@host", r"Got 'redis://host'\. "),
        ("milvus", r"Write milvus: and, after the colon, where it is\."),
        ("", r"Got ''\. Known: http, https, lancedb, memory, milvus\."),
    ],
)
def test_unknown_stores_are_answered_with_a_hint(uri: str, hint: str) -> None:
    with pytest.raises(UnknownNameError, match=r"must be written memory:, milvus:FILE or http://HOST:PORT\. .*" + hint):
        get_store(uri)


def test_memory_has_no_name() -> None:
    with pytest.raises(ParameterError, match=r"Got 'memory:x'\. Write memory:, or milvus:FILE to keep the vectors"):
        get_store("memory:x")
    with get_store("memory") as store:
        assert store.uri == "memory:"


@pytest.mark.parametrize(
    ("uri", "url", "token", "db", "public"),
    [
        ("http://h:19530", "http://h:19530", "env", "", "http://h:19530"),
        ("https://h?token=a%26b+c&db=x", "https://h", "a&b+c", "x", "https://h?db=x"),
        ("http://root:p%40ss@h:1", "http://h:1", "root:p@ss", "", "http://h:1"),
        ("http://[::1]:19530/", "http://[::1]:19530", "env", "", "http://[::1]:19530"),
    ],
)
def test_addresses(uri: str, url: str, token: str, db: str, public: str) -> None:
    address = Address.parse(uri, "env")
    assert (address.url, address.token, address.db, address.public) == (url, token, db, public)
    assert address.token not in repr(address)


@pytest.mark.parametrize("uri", ["http:", "http://", "http://h:port", "http://h/path", "http://me:secret@"])
def test_malformed_addresses_are_refused_without_their_secrets(uri: str) -> None:
    with pytest.raises(ParameterError, match=r"must be written http://HOST:PORT or https://HOST:PORT") as raised:
        get_store(uri)
    assert "secret" not in str(raised.value)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(
        UnknownNameError, match=r"one of token, db, patience\. Got 'tokn'\. Did you mean 'token'\?"
    ) as raised:
        get_store("http://h?tokn=secret")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("patience", ["", "-1", "86401", "nan", "soon"])
def test_patience_is_seconds(patience: str) -> None:
    with pytest.raises(
        ParameterError, match=rf"patience must be seconds from 0 to 86,400\. Got '{patience}'\. Write 0"
    ):
        get_store(f"http://h?patience={patience}")


def test_a_server_that_is_not_there_is_told_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    start = time.monotonic()
    with pytest.raises(StoreError, match=r"must answer at http://127\.0\.0\.1:1 within 5 .*refused.*\. Check the add"):
        get_store("http://me:secret@127.0.0.1:1?patience=0")
    with pytest.raises(StoreError, match=r"must answer at http://nohost\.invalid:19530 .*not found"):
        get_store("http://nohost.invalid:19530")
    assert time.monotonic() - start < 5
    assert capfd.readouterr() == ("", "")


def test_a_server_that_is_down_is_waited_for_and_then_told() -> None:
    with pytest.raises(
        StoreError,
        match=r"at http://127\.0\.0\.1:1 within 2 seconds\. Got \d tries in \d seconds, the last one: .*refused.*"
        r"runs; then run the same command again\.",
    ):
        get_store("http://me:secret@127.0.0.1:1?patience=2")


def test_a_lost_connection_prints_nothing_of_its_own() -> None:
    """gRPC tells of a server that sends an idle client away, unless it was quieted before it was first imported."""
    code = """
import time
from embdiff.errors import StoreError
from embdiff.stores import get_store
try:
    get_store("http://127.0.0.1:1?patience=1")
except StoreError:
    pass
from concurrent.futures import ThreadPoolExecutor
import grpc
server = grpc.server(ThreadPoolExecutor(1))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
often = {"keepalive_time_ms": 10, "keepalive_permit_without_calls": 1, "http2.max_pings_without_data": 0}
states = []
with grpc.insecure_channel(f"127.0.0.1:{port}", options=[(f"grpc.{k}", v) for k, v in often.items()]) as channel:
    channel.subscribe(lambda state: states.append(state.name), try_to_connect=True)
    end = time.monotonic() + 30
    while states.count("READY") == 0 or states[-1] == "READY":
        assert time.monotonic() < end, states
        time.sleep(0.05)
server.stop(None)
print("sent away")
"""
    environment = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    process = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (process.returncode, process.stdout, process.stderr) == (0, "sent away\n", "")


def test_a_server_that_comes_up_late_is_found(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    served: list[subprocess.Popen[bytes]] = []
    late = threading.Timer(1.5, lambda: served.append(lite_server(tmp_path / "late.db", port)))
    late.start()
    try:
        with get_store(f"http://127.0.0.1:{port}?patience=60") as store:
            assert served  # it was not there when it was first asked for
            assert store.names() == []
    finally:
        late.join()
        for process in served:
            process.terminate()
            process.wait()


def lite_server(path: Path, port: int) -> subprocess.Popen[bytes]:
    """Start Milvus Lite as a server of its own, as the message about a locked file advises."""
    arguments = ["server", "--data-dir", str(path), "--host", "127.0.0.1", "--port", str(port)]
    return subprocess.Popen(
        [sys.executable, "-m", "milvus_lite", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def test_a_server_that_says_nothing_or_something_else_is_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("embdiff.stores.milvus.asking._CONNECT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        with pytest.raises(StoreError, match=r"within 1 seconds\. Got: Deadline Exceeded\."):
            get_store(f"http://127.0.0.1:{silent.getsockname()[1]}?patience=0")
        assert time.monotonic() - start < 5

    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Quiet) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        for scheme in ("http", "https"):
            with pytest.raises(StoreError, match="A Milvus server must answer at"):
                get_store(f"{scheme}://127.0.0.1:{web.server_address[1]}")
        web.shutdown()
    assert "Traceback" not in capfd.readouterr().err


@pytest.fixture
def shared_lite(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Milvus Lite folder behind its own server process, as the message about a locked file advises."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with lite_server(tmp_path / "shared.db", port) as process:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process
        process.kill()


def test_a_shared_lite_folder_and_a_server_that_dies(
    shared_lite: tuple[str, subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embdiff.stores.milvus.store.PATIENCE", 2.0)
    uri, process = shared_lite
    vectors = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
    spec = CollectionSpec("any", 4, "l2", IndexSpec.parse("flat"), 30, {})
    corpus = Corpus(("text",) * 30, tuple(map(str, range(30))))
    with get_store(uri) as store, get_store(uri) as other:
        place(store, spec, corpus, vectors)
        assert place(other, spec, corpus, vectors).reused
        np.testing.assert_array_equal(other.search(spec, vectors, 1).rows[:, 0], np.arange(30))
        process.kill()
        process.wait()
        start = time.monotonic()
        with pytest.raises(StoreError, match=r"search any\. Got from http://127.*: [3-9] tries in [12] seconds, the "):
            store.search(spec, vectors, 1)
        assert time.monotonic() - start < 20
