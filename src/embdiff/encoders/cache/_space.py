"""The folder of one space: all vectors that one model makes for one role, kept at one precision."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from embdiff import _files
from embdiff.encoders.cache import _journal
from embdiff.encoders.cache._shard import SUFFIX, Damaged, Keys, Shard, Vectors, write_shard
from embdiff.errors import CacheError
from embdiff.records import IntArray

ABOUT = "space.json"
_MERGE_LOCK = "merge.lock"
_SMALL = 16 << 20  # bytes; a shard this large is not merged again
_MOST_SMALL = 8
_TRIES = 5


class SpaceFolder:
    """Shards and journals of one space.

    Parameters
    ----------
    path : Path
    about : mapping
        What ``space.json`` says: stamp, role, precision, dimension.
    report : callable
        Told about each damaged shard: path and why.
    """

    def __init__(self, path: Path, about: dict[str, Any], report: Callable[[Path, str], None]) -> None:
        self.path, self._about, self._report = path, about, report
        self.dim = int(about["dim"])
        self.dtype = np.dtype("<f2" if about["precision"] == "float16" else "<f4")
        self._journal: _journal.Journal | None = None

    def find(self, keys: Keys) -> tuple[IntArray, Vectors]:
        """Return which keys are here, as positions (f,), and their vectors (f, d)."""
        self._adopt_orphans()
        missing = np.arange(len(keys), dtype=np.int64)
        places: list[IntArray] = []
        tables: list[Vectors] = []
        for _ in range(_TRIES):  # a shard that is merged into another while we look: look again
            vanished = False
            for path in self.shards():
                if not missing.size:
                    break
                try:
                    shard = self._opened(path)
                    rows = shard.find(keys[missing])
                    tables.append(shard.read(rows[rows >= 0]))
                except FileNotFoundError:
                    vanished = True
                except Damaged as why:
                    self._report(path, str(why))
                else:
                    places.append(missing[rows >= 0])
                    missing = missing[rows < 0]
            if not vanished:
                break
        if places:
            with suppress(OSError):
                os.utime(self.path / ABOUT)  # when it was of use last, for `prune`
        whole = tables or [np.empty((0, self.dim), dtype=self.dtype)]
        return np.concatenate([np.empty(0, np.int64), *places]), np.concatenate(whole)

    def shards(self) -> list[Path]:
        """Return the shards there are now, the largest first."""
        if not self.path.is_dir():
            return []
        sizes = []
        for path in self.path.glob(f"*{SUFFIX}"):
            with suppress(FileNotFoundError):
                sizes.append((-path.stat().st_size, path))
        return [path for _, path in sorted(sizes)]

    @contextmanager
    def writing(self) -> Iterator[Callable[[Keys, Vectors], None]]:
        """Give a function that keeps a finished batch; at the end, also after an error, all of them become a shard."""
        try:
            yield self._keep
        except BaseException:
            with suppress(OSError):  # the first error is the one to tell; the journal keeps everything
                self._seal()
            raise
        with writing_to(self.path):
            self._seal()
            self._merge()

    def _keep(self, keys: Keys, vectors: Vectors) -> None:
        with writing_to(self.path):
            if self._journal is None:
                self._make()
                self._journal = _journal.Journal(self.path)
            self._journal.add(keys, vectors.astype(self.dtype, copy=False))
            if self._journal.bytes > _journal.MOST_BYTES:
                self._seal()

    def _make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        if not (self.path / ABOUT).exists():
            _files.write_json(self.path / ABOUT, self._about)

    def _seal(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            try:
                self._to_shard(journal.path)
            finally:
                journal.close()

    def _to_shard(self, path: Path) -> None:
        """Make a shard of a journal that is locked by us, then remove it: between the two, both hold the same."""
        keys, vectors, _ = _journal.read_journal(path, self.dim, self.dtype)
        if len(keys):
            write_shard(self.path, keys, vectors)
        path.unlink()

    def _adopt_orphans(self) -> None:
        """Make shards of the journals that killed processes left."""
        for path in self.path.glob(f"*{_journal.SUFFIX}") if self.path.is_dir() else ():
            with writing_to(self.path):
                handle = _journal.take_orphan(path)
                if handle is not None:
                    with handle:
                        self._to_shard(path)

    def _merge(self) -> None:
        """Make one shard of many small ones; those it was made of go only when it stands."""
        if len(self._small()) <= _MOST_SMALL:
            return
        with (self.path / _MERGE_LOCK).open("ab") as lock:
            if not _files.lock_now(lock):
                return  # another process is at it
            keys, tables, merged = [], [], []
            for path in self._small():
                try:
                    shard = self._opened(path)
                    tables.append(shard.read(np.arange(len(shard), dtype=np.int64)))
                except FileNotFoundError:
                    continue
                except Damaged as why:
                    self._report(path, str(why))
                    continue
                keys.append(shard.keys)
                merged.append(path)
            if len(merged) < 2:
                return
            whole = write_shard(self.path, np.concatenate(keys), np.concatenate(tables))
            for path in merged:
                if path != whole:
                    path.unlink(missing_ok=True)

    def _small(self) -> list[Path]:
        small = []
        for path in self.shards():
            with suppress(FileNotFoundError):
                if path.stat().st_size < _SMALL:
                    small.append(path)
        return small

    def _opened(self, path: Path) -> Shard:
        shard = Shard.open(path)
        if (shard.dim, shard.dtype) != (self.dim, self.dtype):
            raise Damaged(f"it holds {shard.dtype.name} of dimension {shard.dim} among {self.dtype} of {self.dim}")
        return shard


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turn what the system says about a folder of the cache into a CacheError of one line."""
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"The vector cache must be writable. Got {error.strerror or error} in {folder}. Make room or name another "
            "folder with --cache, and run the same command again: finished batches are kept. Or write --cache off."
        ) from None
