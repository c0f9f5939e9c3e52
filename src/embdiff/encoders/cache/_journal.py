"""Batches as they are finished, appended to a file of the process that encodes them.

A record is the number of its rows (uint32), a BLAKE2b of 16 bytes over the rest, the keys, and the vectors. Each goes
to the system in one piece before the next batch is encoded: a killed process loses no finished batch, and a record that
was cut short is seen by its checksum. A journal is locked by its process; one that can be locked belongs to nobody any
more, and whoever finds it makes a shard of it.
"""

from __future__ import annotations

import os
import secrets
import struct
import time
from contextlib import suppress
from io import FileIO
from pathlib import Path

import numpy as np

from embdiff._files import lock_now
from embdiff.encoders.cache._shard import KEY_BYTES, Keys, Vectors, checksum

SUFFIX = ".journal"
MOST_BYTES = 64 << 20  # a full journal becomes a shard
_SYNC_SECONDS = 5.0  # a power cut may take the last seconds; a kill takes nothing
_COUNT = struct.Struct("<I")


class Journal:
    """The journal of one encoding, open for appending.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        while True:
            self.path = folder / f"{os.getpid()}-{secrets.token_hex(8)}{SUFFIX}"
            self._file = FileIO(self.path, "xb+")
            # Between making and locking it, another process may have taken it for an orphan and removed it.
            if lock_now(self._file) and self.path.exists():
                break
            self._file.close()
        self.bytes = 0
        self._synced = time.monotonic()

    def add(self, keys: Keys, vectors: Vectors) -> None:
        """Append one batch.

        Raises
        ------
        OSError
            When it cannot be written; what was appended before stays good.
        """
        body = keys.astype("<u8", copy=False).tobytes() + np.ascontiguousarray(vectors).tobytes()
        record = memoryview(_COUNT.pack(len(keys)) + checksum(body) + body)
        size = len(record)
        try:
            while record:
                record = record[self._file.write(record) or 0 :]
            if time.monotonic() - self._synced > _SYNC_SECONDS:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError:
            with suppress(OSError):
                self._file.truncate(self.bytes)
            raise
        self.bytes += size

    def close(self) -> None:
        """Let go of the file; whoever opens the cache next finds it."""
        self._file.close()


def take_orphan(path: Path) -> FileIO | None:
    """Return a journal nobody writes any more, open and locked; None when it is in use or gone."""
    try:
        handle = FileIO(path, "rb+")
    except FileNotFoundError:
        return None
    if lock_now(handle) and path.exists():
        return handle
    handle.close()
    return None


def read_journal(path: Path, dim: int, dtype: np.dtype[np.floating]) -> tuple[Keys, Vectors, int]:
    """Return the keys and vectors of all whole records, and how many bytes at the end are no whole record."""
    data = path.read_bytes()
    row = KEY_BYTES + dim * dtype.itemsize
    front = _COUNT.size + KEY_BYTES
    keys, vectors, place = [np.empty((0, 2), np.uint64)], [np.empty((0, dim), dtype)], 0
    while place + front <= len(data):
        (count,) = _COUNT.unpack_from(data, place)
        body = memoryview(data)[place + front : place + front + count * row]
        if len(body) != count * row or checksum(body) != data[place + _COUNT.size : place + front]:
            break
        split = count * KEY_BYTES
        keys.append(np.frombuffer(body[:split], dtype="<u8").reshape(-1, 2))
        vectors.append(np.frombuffer(body[split:], dtype=dtype).reshape(count, dim))
        place += front + count * row
    return np.concatenate(keys), np.concatenate(vectors), len(data) - place
