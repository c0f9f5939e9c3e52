"""A Milvus Lite folder to be looked at as it stands.

Milvus Lite writes whenever it is opened: it replays and ends its log, builds indexes that are missing, clears up. So it
is given a folder of its own in the place of the one that is looked at: links to what it writes once and then only reads
or removes (rows and indexes), and copies of the rest, which is small. Meanwhile the lock of the original is shared, so
that nobody writes there.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from embdiff._names import resolved
from embdiff.errors import StoreError

_LOCK = "LOCK"
_WRITTEN_ONCE = (".parquet", ".idx", ".sidx")
_LOG = "wal"


class Held(StoreError):  # noqa: N818 - a StoreError to everybody else
    """Another process has the folder open."""


@contextmanager
def snapshot(path: Path) -> Iterator[Path]:
    """Yield a folder that holds what a Milvus Lite folder holds; it is gone after the block.

    Raises
    ------
    Held
        When another process has it open.
    StoreError
        When it is no such folder, or cannot be read.
    """
    try:
        if not (path / "collections").is_dir():
            raise StoreError(
                f"A Milvus Lite store must be a folder made by milvus-lite 3. Got {path}, {_what(path)}. Check it."
            )
        with (path / _LOCK).open("rb") as handle, tempfile.TemporaryDirectory(prefix="embdiff-look-") as aside:
            if not _shared(handle):
                raise Held(f"A Milvus Lite store is open in one process at a time. Got {path}, {holder(path / _LOCK)}.")
            copy = Path(aside) / path.name
            shutil.copytree(path, copy, copy_function=_linked)
            yield copy
    except OSError as error:
        raise StoreError(
            f"A Milvus Lite store must be a folder that can be read. Got {error.filename or path}: "
            f"{error.strerror or error}. Check the path."
        ) from None


def _what(path: Path) -> str:
    if not path.is_file():
        return "something else"
    with path.open("rb") as handle:
        return "a file in the format of milvus-lite 2" if handle.read(15) == b"SQLite format 3" else "a file"


def holder(lock: Path) -> str:
    """Return in words which process holds a lock, as far as the system tells."""
    try:
        found = lock.stat()
        place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            words = line.split()
            if place in words:
                process = words[words.index(place) - 1]
                name = Path(f"/proc/{process}/comm").read_text(encoding="utf-8", errors="replace").strip()
                return f"which process {process} ({name}) holds"
    except (OSError, ValueError):
        pass
    return "which another process holds"


def index_files(path: Path, collection: str) -> tuple[int, int, bool]:
    """Return how many files of rows a collection has, how many have their index, and whether rows wait in the log.

    A collection without a declared index needs none: it counts as indexed.
    """
    home = path / "collections" / collection
    rows = indexed = 0
    for data in home.glob("partitions/*/data/*.parquet"):
        rows += 1
        beside = data.parent.parent / "indexes"
        indexed += beside.is_dir() and any(each.name.startswith(f"{data.stem}.") for each in beside.iterdir())
    return rows, indexed, any(each.stat().st_size for each in home.glob(f"{_LOG}/*"))


def unborn(path: Path) -> list[str]:
    """Return names of collections that a process was killed in making: Milvus Lite does not list them."""
    folders = (path / "collections").iterdir()
    return sorted(each.name for each in folders if each.is_dir() and not (each / "schema.json").is_file())


def _linked(source: str, target: str) -> None:
    """Give a file its place in the copy."""
    if source.endswith(_WRITTEN_ONCE) and f"{os.sep}{_LOG}{os.sep}" not in source:
        Path(target).symlink_to(resolved(source))
    else:
        shutil.copyfile(source, target)


def _shared(handle: IO[bytes]) -> bool:
    """Share the lock of an open file; False when a process holds it alone."""
    if sys.platform == "win32":
        return True  # a held one could not have been opened
    import fcntl

    try:
        fcntl.flock(handle.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
