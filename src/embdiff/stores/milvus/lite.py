"""Milvus Lite in this process: which paths it may open, who has it open, when its lock is let go."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from embdiff.errors import ParameterError, StoreError

# Milvus Lite reports errors to the caller and logs them with a traceback; without this Python prints the second.
logging.getLogger("milvus_lite").addHandler(logging.NullHandler())

_guard = threading.Lock()
_users: Counter[Path] = Counter()
_ours: set[Path] = set()  # what is served because of us
_POINTS_PER_LIST = 39  # below this many faiss warns, once per index, that k-means had few points


def open_lite(path: Path) -> str:
    """Serve a Milvus Lite folder on a free loopback port, or join the server that this process has for it.

    Parameters
    ----------
    path : Path
        The folder, as `path_of` returns it; it and its parents are made.

    Returns
    -------
    str
        ``http://127.0.0.1:PORT``. Each call needs one `close_lite`.

    Raises
    ------
    StoreError
        When another process holds the path, it cannot be written, or something else is there.
    """
    from milvus_lite.server_manager import server_manager_instance as manager

    with _guard:
        if not _users[path]:
            _refuse_foreign(path)
        # The manager is the one pymilvus uses: a server that a MilvusClient of the user's own started is shared with it
        # and outlives us.
        served = str(path) in getattr(manager, "_servers", {})
        log, failures = logging.getLogger("milvus_lite.server_manager"), list[BaseException | None]()

        def keep(record: logging.LogRecord) -> bool:  # why it failed, the manager tells its log only
            failures.append(record.exc_info[1] if record.exc_info else None)
            return False

        log.addFilter(keep)
        try:
            uri = manager.start_and_get_uri(str(path))
        finally:
            log.removeFilter(keep)
        if uri is None:
            raise _refusal(path, next(filter(None, reversed(failures)), None))
        if not served:
            _ours.add(path)
            _clear_unborn(path / "collections")
        _users[path] += 1
    return str(uri)


def close_lite(path: Path) -> None:
    """Undo one `open_lite`; the last one stops the server and lets the lock go."""
    from milvus_lite.server_manager import server_manager_instance as manager

    with _guard:
        _users[path] -= 1
        if not _users[path] and path in _ours:
            _ours.remove(path)
            manager.release_server(str(path))


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


def _refusal(path: Path, error: BaseException | None) -> StoreError:
    if type(error).__name__ == "DataDirLockedError":
        return StoreError(
            f"A Milvus Lite store must be open in one process only. Got {path}, which another process holds. Close "
            f"it there, name another FILE, or share it: run 'milvus-lite server --data-dir {path} --host 127.0.0.1 "
            "--port 19530' and use http://127.0.0.1:19530."
        )
    reason = str(error or "no reason given")
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
    return Path(name).expanduser().resolve()
