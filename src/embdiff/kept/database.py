"""The one file of a cache: finished batches of vectors, results, and what each space of vectors is.

A finished batch is a row: the name of its space, its keys, its vectors, and a BLAKE2b of 16 bytes over the three. A
result is a row beside. SQLite itself sees damage only in how its pages hang together; the checksums see every byte.

**Journal.** On a file system that ``/proc/mounts`` calls by the name of a local one (`LOCAL`), SQLite's write-ahead
log: readers and writers do not wait for one another, and no batch waits for the disk. Everywhere else, and where there
is no ``/proc/mounts``, a rollback journal: the log needs memory that all processes share, and over a network it may
seem to work and lose rows. What is committed outlives a kill either way.

**Forks.** A connection must not be carried into another process: before a fork all are closed, and made again later.
"""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

from embdiff._files import lock_now, sync_folder
from embdiff._names import resolved
from embdiff.errors import CacheError
from embdiff.kept._salvage import PAGE, rows_in

NAME = "kept-1.sqlite"
ASIDE = "damaged-"
LOCK, MENDING = "kept.lock", "mending.sqlite"
MOUNTS = Path("/proc/mounts")
LOCAL = frozenset({"apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
BUSY_SECONDS = 60.0
LOG_PAGES = 4_096  # 64 MiB: then the log is written into the database, and both are synced
TOUCH_SECONDS = 3_600.0  # how exactly it is known when something was of use last
_MOST_MENDED = 3  # by one process: a disk that damages what was just written is none to keep anything on
_SCHEMA = """
CREATE TABLE IF NOT EXISTS spaces (name TEXT PRIMARY KEY, about TEXT NOT NULL, used REAL NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT, space TEXT NOT NULL, keys BLOB NOT NULL, vectors BLOB NOT NULL,
    checksum BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS batches_of_space ON batches (space);
CREATE TABLE IF NOT EXISTS results (
    kind TEXT NOT NULL, key TEXT NOT NULL, used REAL NOT NULL, body BLOB NOT NULL, checksum BLOB NOT NULL,
    PRIMARY KEY (kind, key));
"""
CHECKSUM = partial(blake2b, digest_size=16)
_open: weakref.WeakSet[Database] = weakref.WeakSet()


class Unwritable(CacheError):  # noqa: N818 - a CacheError to everybody else
    """A cache that cannot be used; ``reason`` is what the system says, without the folder."""

    def __init__(self, reason: str, folder: Path) -> None:
        super().__init__(
            f"The vector cache must be writable. Got {reason} in {folder}. Make room or name another "
            "folder with --cache, and run the same command again: finished batches are kept. Or write --cache off."
        )
        self.reason = reason


class Database:
    """The database of a folder, shared by any number of processes.

    Parameters
    ----------
    folder : Path
        Made if need be. One that cannot be written is read as it stands.
    read_only : bool
        Whether to read it as it stands although it can be written.

    Attributes
    ----------
    connection : sqlite3.Connection or None
        None until `open` is called, and again after a fork.
    read_only : bool
    notes : list of str
        What a run should tell: a database that was damaged, a folder that cannot be written.

    Raises
    ------
    CacheError
        When the folder is not there and cannot be made.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self.connection: sqlite3.Connection | None = None
        self.folder, self.path = folder, folder / NAME
        self.notes: list[str] = []
        self._file, self._mended = 0, 0
        self.read_only = read_only
        try:
            if not read_only:
                folder.mkdir(parents=True, exist_ok=True)
                there = self.path.exists()
                writable = os.access(folder, os.W_OK | os.X_OK) and not (there and not os.access(self.path, os.W_OK))
                self.read_only = not writable
        except OSError as error:
            raise Unwritable(error.strerror or str(error), folder) from None
        if self.read_only and not read_only:
            self.notes.append("The cache can only be read: what is encoded or computed now is not kept.")
        _open.add(self)
        self.open()

    def open(self) -> sqlite3.Connection:
        """Connect; a damaged database is mended first. Raises CacheError when it cannot be used."""
        try:
            self.connection = self._connect()
        except (sqlite3.Error, OSError) as error:
            self.failed(error)
        return self.connection or self.open()

    def close(self) -> None:
        """Let go of the file; whoever asks next opens it again."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def __del__(self) -> None:
        self.close()

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a statement; raises as `failed` does."""
        try:
            return (self.connection or self.open()).execute(statement, values).fetchall()
        except sqlite3.Error as error:
            self.failed(error)
            return self.execute(statement, values)

    def failed(self, error: Exception) -> None:
        """Mend what is damaged, so that it can be asked again.

        Raises
        ------
        CacheError
            For any other trouble, such as a full disk.
        """
        damaged = type(error) is sqlite3.DatabaseError  # "malformed", "not a database"; other trouble has a subclass
        if not damaged or self._mended == _MOST_MENDED:
            reason = str(error)
            if isinstance(error, OSError):
                reason = error.strerror or reason
            elif "is full" in reason:
                reason = "No space left on device"
            raise Unwritable(reason, self.folder) from None
        self._mended += 1
        self.close()
        if self.read_only:
            self.notes.append(f"The cache's database is damaged ({error}) and cannot be mended here: it was not used.")
            self.connection = _empty()
            return
        try:
            self._mend(str(error))
        except (sqlite3.Error, OSError) as second:
            raise Unwritable(str(second), self.folder) from None

    def _connect(self) -> sqlite3.Connection:
        if self.read_only:
            return self._connect_to_read()
        with self._alone():
            found = sqlite3.connect(self.path, BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._file = self.path.stat().st_ino
            try:
                _configured(found).execute(f"PRAGMA journal_mode = {journal_of(self.folder)}")
                found.execute("PRAGMA synchronous = NORMAL")
                found.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
                return found
            except sqlite3.Error:
                found.close()
                raise

    def _connect_to_read(self) -> sqlite3.Connection:
        """Open what is there: nothing is written beside it, and without any database nothing is found."""
        if not self.path.exists():
            return _empty()
        log, shared = Path(f"{self.path}-wal"), Path(f"{self.path}-shm")
        # The log of a process that works, or was killed, is read, too; without its index SQLite would have to write.
        how = "mode=ro" if shared.exists() and log.exists() and log.stat().st_size else "immutable=1"
        found = sqlite3.connect(f"{self.path.as_uri()}?{how}", uri=True, check_same_thread=False)
        if found.execute("SELECT name FROM sqlite_schema").fetchall():
            return found
        found.close()
        return _empty()

    def _mend(self, why: str) -> None:
        """Move the database aside, and put one in its place with every row that matches its checksum."""
        with self._alone():
            if not self.path.exists() or self.path.stat().st_ino != self._file:
                return  # another process was first
            aside = self.folder / f"{ASIDE}{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.sqlite"
            mending = self.folder / MENDING
            mending.unlink(missing_ok=True)
            found = sqlite3.connect(mending, isolation_level=None)
            rows = _refill(_configured(found), self.path)
            found.close()
            for suffix in ("-wal", "-journal"):  # a log beside another database would be written into that
                with suppress(FileNotFoundError):
                    Path(f"{self.path}{suffix}").replace(f"{aside}{suffix}")
            Path(f"{self.path}-shm").unlink(missing_ok=True)
            self.path.replace(aside)
            mending.replace(self.path)
            sync_folder(self.folder)
        self.notes.append(
            f"The cache's database was damaged ({why}) and was moved aside to {aside.name}: {rows:,} batches and "
            "results of it were sound and are kept. 'embdiff cache prune' removes it."
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Open and mend one process at a time: to change the journal's kind while another does is refused at once."""
        with (self.folder / LOCK).open("ab") as handle:
            until = time.monotonic() + BUSY_SECONDS
            while not lock_now(handle):
                if time.monotonic() > until:
                    raise OSError(f"{LOCK} locked by another process")
                time.sleep(0.01)
            yield


def is_sound(batch: Sequence[Any]) -> bool:
    """Return whether a row of ``batches`` matches its checksum."""
    try:
        _, space, keys, vectors, checksum = batch
        return bool(CHECKSUM(space.encode() + keys + vectors).digest() == checksum)
    except (AttributeError, TypeError):  # damage can change what kind of value SQLite takes it for
        return False


def journal_of(folder: Path) -> str:
    """Return the kind of journal for a database there, by the rule above: ``WAL`` or ``TRUNCATE``."""
    try:
        mounts = [line.split() for line in MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return "TRUNCATE"
    where, kind = resolved(folder), ""
    longest = -1
    for _, place, file_system, *_ in mounts:
        place = place.replace("\\040", " ")
        if len(place) >= longest and where.is_relative_to(place):  # of several on one place the last counts
            longest, kind = len(place), file_system
    return "WAL" if kind in LOCAL else "TRUNCATE"


def _configured(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Return the connection, with all tables there: a new database has pages of our size, and gives room back."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")  # a damaged name is no reason to stop
    connection.executescript(f"PRAGMA page_size = {PAGE}; PRAGMA auto_vacuum = INCREMENTAL; {_SCHEMA}")
    return connection


def _empty() -> sqlite3.Connection:
    return _configured(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))


def _refill(target: sqlite3.Connection, damaged: Path) -> int:
    """Copy every sound row of a damaged database; return how many batches and results there were."""
    target.execute("BEGIN")
    for row in rows_in(damaged):
        if len(row) == 3 and sha256(row[1]).hexdigest()[:32].encode() == row[0]:
            name, about = row[0].decode(), row[1].decode()
            target.execute("INSERT OR REPLACE INTO spaces VALUES (?, ?, ?)", (name, about, time.time()))
        elif len(row) == 5 and CHECKSUM(row[1] + row[2] + row[3]).digest() == row[4]:
            batch = (row[1].decode(), *row[2:])
            target.execute("INSERT INTO batches (space, keys, vectors, checksum) VALUES (?, ?, ?, ?)", batch)
        elif len(row) == 5 and CHECKSUM(row[0] + row[1] + row[3]).digest() == row[4]:
            result = (row[0].decode(), row[1].decode(), time.time(), *row[3:])
            target.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)", result)
    target.execute("COMMIT")
    return int(target.execute("SELECT (SELECT count(*) FROM batches) + (SELECT count(*) FROM results)").fetchone()[0])


def _close_all() -> None:
    for each in list(_open):
        each.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_close_all)
