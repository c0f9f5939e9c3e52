"""Milvus Lite in this process: which paths it may open, who has it open, when its lock is let go.

It is served on a loopback port, to which every process of the machine can connect; nobody is answered there without a
token that this process alone knows.
"""

from __future__ import annotations

import atexit
import base64
import errno
import hmac
import logging
import os
import secrets
import shutil
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]

from embdiff._names import resolved
from embdiff.errors import ParameterError, StoreError

# Milvus Lite reports errors to the caller and logs them with a traceback; without this Python prints the second.
logging.getLogger("milvus_lite").addHandler(logging.NullHandler())

_POINTS_PER_LIST = 39  # below this many faiss warns, once per index, that k-means had few points
_THREADS = 10  # of a server, as many as Milvus Lite itself gives it
_LONGEST_MESSAGE = 256 << 20  # bytes, as in a Milvus server
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class _Served:
    """A folder that is served because of us."""

    server: Any
    database: Any
    url: str
    token: str

    def close(self) -> None:
        """Stop the server and let the lock go."""
        self.server.stop(grace=2).wait()
        self.database.close()


_guard = threading.Lock()
_users: Counter[Path] = Counter()
_ours: dict[Path, _Served] = {}


def open_lite(path: Path) -> tuple[str, str]:
    """Serve a Milvus Lite folder on a free loopback port, or join the server that this process has for it.

    Parameters
    ----------
    path : Path
        The folder, as `path_of` returns it; it and its parents are made.

    Returns
    -------
    url : str
        ``http://127.0.0.1:PORT``. Each call needs one `close_lite`.
    token : str
        Without it nobody is answered there; "" where a MilvusClient of the user's own had opened the folder before us,
        to everybody on this machine.

    Raises
    ------
    StoreError
        When another process holds the path, it cannot be written, or something else is there.
    """
    from milvus_lite.server_manager import server_manager_instance as manager

    with _guard:
        if not _users[path]:
            _refuse_foreign(path)
        if path not in _ours and is_open_here(path):  # a MilvusClient here has it
            joined: tuple[str, str] = str(manager.start_and_get_uri(str(path))), ""
        else:
            if path not in _ours:
                _ours[path] = _serve(path)
                _clear_unborn(path / "collections")
            joined = _ours[path].url, _ours[path].token
        _users[path] += 1
    return joined


def is_open_here(path: Path) -> bool:
    """Return whether this process has a folder open, through us or through a MilvusClient of the user's own."""
    from milvus_lite.server_manager import server_manager_instance as manager

    return path in _ours or str(path) in getattr(manager, "_servers", {})


def close_lite(path: Path) -> None:
    """Undo one `open_lite`; the last one stops the server and lets the lock go."""
    with _guard:
        _users[path] -= 1
        if not _users[path] and path in _ours:
            _ours.pop(path).close()


@atexit.register
def _close_all() -> None:
    while _ours:
        _ours.popitem()[1].close()


def _serve(path: Path) -> _Served:
    """Serve a folder as ``milvus_lite`` does, but behind a token, and on a port that no other process can share."""
    from milvus_lite.adapter.grpc.servicer import MilvusServicer
    from milvus_lite.db import MilvusLite
    from pymilvus.grpc_gen.milvus_pb2_grpc import add_MilvusServiceServicer_to_server

    try:
        database = MilvusLite(str(path))
    except Exception as error:  # of the file system, and of whatever reads what is there
        raise _refusal(path, error) from error
    token = secrets.token_hex(32)
    most = (("grpc.max_receive_message_length", _LONGEST_MESSAGE), ("grpc.max_send_message_length", _LONGEST_MESSAGE))
    server = grpc.server(
        ThreadPoolExecutor(_THREADS), interceptors=(_Guarded(token),), options=(*most, ("grpc.so_reuseport", 0))
    )
    add_MilvusServiceServicer_to_server(MilvusServicer(database), server)
    port = server.add_insecure_port(f"{_LOOPBACK}:0")
    server.start()
    return _Served(server, database, f"http://{_LOOPBACK}:{port}", token)


class _Guarded(grpc.ServerInterceptor):  # type: ignore[misc] # grpc comes without types
    """Answers whoever has the token, as pymilvus sends it, and refuses everybody else before reading what they sent."""

    def __init__(self, token: str) -> None:
        self._wanted = base64.b64encode(token.encode())
        self._refusal = grpc.stream_unary_rpc_method_handler(self._refuse)

    @staticmethod
    def _refuse(_messages: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "this database belongs to another process")

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Return who answers a call."""
        given = str(dict(details.invocation_metadata).get("authorization", ""))
        return continuation(details) if hmac.compare_digest(given.encode(), self._wanted) else self._refusal


def _clear_unborn(collections: Path) -> None:
    """Remove folders of collections that a process was killed in making: Lite neither lists nor replaces them.

    The folder comes first, then the schema in it, which is renamed into place; without one there cannot be rows.
    """
    for folder in collections.iterdir():
        if folder.is_dir() and {part.name for part in folder.iterdir()} <= {"schema.json.tmp"}:
            shutil.rmtree(folder)


def _refuse_foreign(path: Path) -> None:
    """Make the parents; refuse files, and folders that hold something else: Lite would write its own among it."""
    what, remedy = "", "Name another path."
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            with path.open("rb") as handle:
                old = handle.read(15) == b"SQLite format 3"
            what = "a file in the format of milvus-lite 2" if old else "a file"
        elif path.is_dir():
            there = {entry.name for entry in path.iterdir()}
            if there and not {"LOCK", "collections"} <= there:
                what = "a folder with other files in it"
                remedy = f"Name a path inside it, for example milvus:{path / 'vectors.db'}."
    except OSError as error:
        raise _refusal(path, error) from None
    if what:
        raise StoreError(
            f"A Milvus Lite store must be a folder made by milvus-lite 3, or a new path. Got {path}, {what}. {remedy}"
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise _refusal(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _refusal(path: Path, error: BaseException) -> StoreError:
    if type(error).__name__ == "DataDirLockedError":
        return StoreError(
            f"A Milvus Lite store must be open in one process only. Got {path}, which another process holds. Close "
            f"it there, name another FILE, or share it: run 'milvus-lite server --data-dir {path} --host 127.0.0.1 "
            "--port 19530' and use http://127.0.0.1:19530."
        )
    reason = str(error) or type(error).__name__
    if isinstance(error, OSError):
        reason = (
            "what should be its folder is a file" if isinstance(error, FileExistsError) else error.strerror or reason
        )
    return StoreError(
        f"A Milvus Lite store must be a path that can be read and written. Got {path}: {reason}. "
        "Name a path in a folder of yours."
    )


@contextmanager
def without_clustering_warning(rows: int, nlist: int) -> Iterator[None]:
    """Keep faiss's "WARNING clustering ..." off stderr while an index is built; all else written there follows after.

    faiss prints it in C++ whenever there are fewer than 39 rows a list. Whether nlist suits the rows is checked
    where nlist is given.
    """
    kept = -1
    if rows < _POINTS_PER_LIST * nlist:
        with suppress(OSError, ValueError, AttributeError):  # no stderr: nothing to keep clean
            sys.stderr.flush()
            kept = os.dup(2)
    if kept < 0:
        yield
        return
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            aside.seek(0)
            os.write(2, b"".join(line for line in aside if not line.startswith(b"WARNING clustering")))
            os.close(kept)


def path_of(uri: str) -> Path:
    """Return the whole path of ``milvus:FILE``.

    Raises
    ------
    ParameterError
        When FILE is missing.
    """
    name = uri.partition(":")[2]
    if not name:
        raise ParameterError(f"A Milvus Lite store must name its path. Got {uri!r}. Write milvus:vectors.db.")
    return resolved(Path(name).expanduser())
