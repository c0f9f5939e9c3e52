"""A real Milvus server (PyPI package ``milvus``) for tests, shut into a network namespace of its own.

The server listens on all interfaces whatever it is told, so it never runs in the network of the machine: this file,
run as a script by ``unshare --net``, starts it where there is only a loopback device. The one door is a listening
socket that the test process made on its own loopback and handed down: a socket stays in the namespace it was made
in, so whoever accepts on it is reached from outside and can connect inside.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TOKEN = "root:Milvus"  # the server's own first user and password: the tests run with authorization on
_SECONDS_TO_START = 120.0


class Server:
    """A running server that wants `TOKEN`, at ``url``; it can be killed and started again, its data stay."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._process = process

    def kill(self) -> None:
        """SIGKILL; returns when it is dead."""
        assert self._order(b"kill") == b"killed\n"

    def start(self) -> None:
        """Start it again; returns when it says that it is healthy."""
        assert self._order(b"start") == b"ready\n", "the server did not start again"

    def _order(self, word: bytes) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(word + b"\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


@pytest.fixture(scope="session")
def milvus_server(milvus_process: Server) -> str:
    """``http://127.0.0.1:PORT`` of a running server that wants `TOKEN`."""
    return milvus_process.url


@pytest.fixture(scope="session")
def milvus_process(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server behind `milvus_server`, for tests that kill it and start it again."""
    reason = _why_impossible()
    if reason:
        if "server" in os.environ.get("EMBDIFF_REQUIRE", "").split(","):
            pytest.fail(f"EMBDIFF_REQUIRE names server, but {reason}")
        pytest.skip(reason)
    unpacked = request.config.cache.mkdir("milvus-server")  # 447 MB, 25 s to unpack: kept between sessions
    for attempt in (1, 2):  # about one start in many ends in a panic of the server's own making
        folder = tmp_path_factory.mktemp("milvus")
        with _started(folder, unpacked) as server:
            if server is not None:
                yield server
                return
        if attempt == 2:
            pytest.fail(f"The Milvus server did not start twice. Its output ends:\n{_tail(folder)}")
        shutil.rmtree(folder)


def _why_impossible() -> str | None:
    if sys.platform != "linux":
        return "the server needs Linux network namespaces"
    if importlib.util.find_spec("milvus") is None:
        return "the server needs the package milvus: pip install milvus==2.3.5"
    if shutil.which("unshare") is None:
        return "the server needs unshare (util-linux)"
    tried = subprocess.run([*_unshare(), "true"], capture_output=True, text=True)
    return f"no network namespace can be made: {tried.stderr.strip()}" if tried.returncode else None


def _unshare() -> list[str]:
    return ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]


@contextlib.contextmanager
def _started(folder: Path, unpacked: Path) -> Iterator[Server | None]:
    """Run the server; yield it, or None when it did not come up."""
    with socket.create_server(("127.0.0.1", 0)) as door, (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            [*_unshare(), sys.executable, __file__, str(door.fileno()), str(folder), str(unpacked)],
            stdin=subprocess.PIPE,  # its end tells the child that the tests are over, also when they were killed
            stdout=subprocess.PIPE,
            stderr=output,
            pass_fds=[door.fileno()],
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            ready, _, _ = select.select([process.stdout], [], [], _SECONDS_TO_START + 30)
            up = ready and process.stdout.readline() == b"ready\n"
            yield Server(door.getsockname()[1], process) if up else None
        finally:
            process.stdin.close()
            process.wait(timeout=60)
            process.stdout.close()


def _tail(folder: Path) -> str:
    texts = [path.read_text(errors="replace")[-2000:] for path in sorted(folder.rglob("*.txt"))]
    texts += [path.read_text(errors="replace")[-2000:] for path in sorted(folder.rglob("milvus-std*.log"))]
    return "\n".join(texts)


def _serve(door: socket.socket, folder: Path, unpacked: Path) -> None:
    """Be the child: loopback up, server up, relay, obey until stdin ends, server down."""
    _raise_loopback()
    folder.joinpath("bin").symlink_to(unpacked)
    server = _launched(folder)
    try:
        if server is None:
            return
        inside = [_port(server)]
        threading.Thread(target=_relay, args=(door, inside), daemon=True).start()
        print("ready", flush=True)
        for order in sys.stdin.buffer:
            if order == b"kill\n":
                server.server_proc.kill()
                server.server_proc.wait()
                print("killed", flush=True)
            else:
                server = _launched(folder) or _launched(folder)
                if server is None:
                    print("failed", flush=True)
                    return
                inside[0] = _port(server)
                print("ready", flush=True)
    finally:
        if server is not None:
            _stop(server.server_proc)


def _launched(folder: Path) -> Any:
    """Start a server on the data in ``folder``; None when it does not become healthy."""
    from milvus import MilvusServer, MilvusServerConfig  # after unshare, so that nothing of it runs outside

    config = MilvusServerConfig(data_dir=str(folder))
    config.set("authorization_enabled", True)
    server = MilvusServer(config, wait_for_started=False)
    server.start()
    if _healthy(server.server_proc, server.webservice_port):
        return server
    _stop(server.server_proc)
    return None


def _port(server: Any) -> int:
    """Return the port it listens on: another one after a restart, where the old one is still taken."""
    return int(server.config.configurable_items["proxy_port"][1])


def _raise_loopback() -> None:
    """Bring ``lo`` up (SIOCSIFFLAGS, IFF_UP): a new network namespace has it down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1))


def _healthy(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer,
        ):
            if b"OK" in answer.read():
                return True
        time.sleep(0.2)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:  # seen once still alive after 30 s
        process.kill()
        process.wait()


def _relay(door: socket.socket, port: list[int]) -> None:
    while True:
        outside, _ = door.accept()
        try:
            inside = socket.create_connection(("127.0.0.1", port[0]))
        except OSError:  # the server is down: whoever knocked sees the connection close
            outside.close()
            continue
        for source, target in ((outside, inside), (inside, outside)):
            threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]))
