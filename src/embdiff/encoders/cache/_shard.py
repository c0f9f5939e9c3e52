"""One file of finished vectors: sorted keys, then vectors in blocks with a checksum each. Written once, never changed.

Layout, little-endian: ``embdiff1``, number of rows, dimension, bytes a number, rows a block (uint64, 3 × uint32); the
keys, 16 bytes a row, sorted by their first half; a BLAKE2b of 16 bytes for each block of vectors; the vectors. The name
of the file is the BLAKE2b of all that stands before the vectors, and so vouches for every byte.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from embdiff._files import sync_folder
from embdiff.records import IntArray

KEY_BYTES = 16
SUFFIX = ".shard"
PART = ".part"
BLOCK_ROWS = 256
_MAGIC = b"embdiff1"
_HEAD = struct.Struct("<8sQIII")
_DTYPES: dict[int, np.dtype[np.floating]] = {4: np.dtype("<f4"), 2: np.dtype("<f2")}

Keys = npt.NDArray[np.uint64]  # (n, 2): the halves of each 16-byte hash
Vectors = npt.NDArray[np.floating]


class Damaged(Exception):  # noqa: N818 - never leaves this room
    """A file that does not match its checksum; the text says where."""


def keys_of(texts: Sequence[str]) -> Keys:
    """Return the key of each text: BLAKE2b of its UTF-8, shape (n, 2)."""
    whole = b"".join(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest() for text in texts)
    return np.frombuffer(whole, dtype="<u8").reshape(-1, 2)


def checksum(data: bytes | memoryview) -> bytes:
    """Return 16 bytes that vouch for the data."""
    return blake2b(data, digest_size=KEY_BYTES).digest()


@dataclass(frozen=True, eq=False)
class Shard:
    """A shard opened: its keys are in memory, its vectors on disk.

    Parameters
    ----------
    path : Path
    keys : ndarray of uint64, shape (n, 2)
        Sorted by the first half.
    digests : bytes
        One checksum of 16 bytes for each block.
    start : int
        Where the vectors begin in the file.
    dim, block_rows : int
    dtype : dtype
        Of the vectors: float32 or float16.
    """

    path: Path
    keys: Keys
    digests: bytes
    start: int
    dim: int
    block_rows: int
    dtype: np.dtype[np.floating]

    @classmethod
    def open(cls, path: Path) -> Shard:
        """Read all but the vectors.

        Raises
        ------
        Damaged
            When it does not match its name, or is cut short.
        FileNotFoundError
            When it is gone.
        """
        try:
            with path.open("rb") as handle:
                head = handle.read(_HEAD.size)
                if len(head) < _HEAD.size or head[:8] != _MAGIC:
                    raise Damaged("it does not begin as a shard does")
                _, rows, dim, width, block_rows = _HEAD.unpack(head)
                size = os.fstat(handle.fileno()).st_size
                blocks = -(-rows // block_rows) if block_rows else 0
                start = _HEAD.size + KEY_BYTES * (rows + blocks)
                if width not in _DTYPES or not block_rows or size != start + rows * dim * width:
                    raise Damaged(f"it is {size:,} bytes long and its head tells otherwise")
                rest = handle.read(start - _HEAD.size)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Damaged(f"it cannot be read: {error.strerror or error}") from None
        if path.name != checksum(head + rest).hex() + SUFFIX:
            raise Damaged("its keys do not match their checksum")
        keys = np.frombuffer(rest, dtype="<u8", count=2 * rows).reshape(-1, 2)
        return cls(path, keys, rest[KEY_BYTES * rows :], start, dim, block_rows, _DTYPES[width])

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, keys: Keys) -> IntArray:
        """Return the row of each key, -1 where it is not here."""
        if not len(self):
            return np.full(len(keys), -1, dtype=np.int64)
        row = np.minimum(np.searchsorted(self.keys[:, 0], keys[:, 0]), len(self) - 1)
        # Equal first halves of different texts would hide one of them: it is then encoded again, never mixed up.
        return np.where((self.keys[row] == keys).all(axis=1), row, -1).astype(np.int64)

    def read(self, rows: IntArray) -> Vectors:
        """Return the vectors of the rows, each block that holds one checked first.

        Raises
        ------
        Damaged
            When a block does not match its checksum.
        FileNotFoundError
            When the file is gone.
        """
        vectors = np.empty((len(rows), self.dim), dtype=self.dtype)
        order = np.argsort(rows, kind="stable")
        block_of = rows[order] // self.block_rows
        edges = np.flatnonzero(np.diff(block_of, prepend=-1, append=-1)) if len(rows) else np.empty(0, np.int64)
        width = self.dim * self.dtype.itemsize
        with self.path.open("rb") as handle:
            for first, last in pairwise(edges):
                block, which = int(block_of[first]), order[first:last]
                there = min(self.block_rows, len(self) - block * self.block_rows)
                handle.seek(self.start + block * self.block_rows * width)
                data = handle.read(there * width)
                if checksum(data) != self.digests[KEY_BYTES * block : KEY_BYTES * (block + 1)]:
                    raise Damaged(f"rows {block * self.block_rows:,} and following do not match their checksum")
                table = np.frombuffer(data, dtype=self.dtype).reshape(there, self.dim)
                vectors[which] = table[rows[which] - block * self.block_rows]
        return vectors

    def check(self) -> None:
        """Check every block; raises as `read` does."""
        for start in range(0, len(self), 64 * self.block_rows):
            self.read(np.arange(start, min(start + 64 * self.block_rows, len(self)), dtype=np.int64))


def write_shard(folder: Path, keys: Keys, vectors: Vectors) -> Path:
    """Write a shard so that it appears whole or not at all; of a key given twice the first vector counts.

    Parameters
    ----------
    folder : Path
    keys : ndarray of uint64, shape (n, 2)
    vectors : ndarray of float32 or float16, shape (n, d)

    Returns
    -------
    Path
        The same content has the same name.
    """
    order = np.lexsort((keys[:, 1], keys[:, 0]))  # stable: of equal keys the first stays first
    sorted_keys = keys[order]
    again = np.zeros(len(order), dtype=bool)
    again[1:] = (sorted_keys[1:] == sorted_keys[:-1]).all(axis=1)
    order, sorted_keys = order[~again], sorted_keys[~again]
    dtype = _DTYPES[vectors.dtype.itemsize]
    blocks = [
        vectors[order[start : start + BLOCK_ROWS]].astype(dtype, copy=False).tobytes()
        for start in range(0, len(order), BLOCK_ROWS)
    ]
    head = _HEAD.pack(_MAGIC, len(order), vectors.shape[1], dtype.itemsize, BLOCK_ROWS)
    front = head + sorted_keys.astype("<u8", copy=False).tobytes() + b"".join(map(checksum, blocks))
    path = folder / (checksum(front).hex() + SUFFIX)
    part = folder / f".{path.stem}-{secrets.token_hex(4)}{PART}"
    try:
        with part.open("xb") as handle:
            handle.write(front)
            handle.writelines(blocks)
            handle.flush()
            os.fsync(handle.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(folder)
    return path
