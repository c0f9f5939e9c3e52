"""Vectors as an encoder asks for them: by the space that they belong to, and by a key for each text."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b, sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.errors import CacheError
from embdiff.kept._place import Place
from embdiff.kept.database import CHECKSUM, TOUCH_SECONDS, Database, is_sound
from embdiff.kept.results import Kept
from embdiff.records import UNPINNED, BoolArray, FloatArray, IntArray, Picture, Role, Stamp

KEY_BYTES = 16
SYNC_SECONDS = 5.0  # a power cut may take what is younger; a kill takes nothing
_KEYS = "SELECT id, coalesce(CAST(keys AS BLOB), x'') FROM batches WHERE space = ? ORDER BY id"
Keys = npt.NDArray[np.uint64]  # (n, 2): the halves of each hash


def keys_of(texts: Iterable[str]) -> Keys:
    """Return the key of each item, uint64 (n, 2): BLAKE2b of a text's UTF-8, or of an image's SHA-256, set apart."""
    whole = bytearray()
    for text in texts:
        if isinstance(text, Picture):
            whole += blake2b(bytes.fromhex(text.digest), digest_size=KEY_BYTES, person=b"image").digest()
        else:
            whole += blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()
    return np.frombuffer(whole, dtype="<u8").reshape(-1, 2)


@dataclass(frozen=True)
class VectorSpace:
    """All vectors that one model makes for one role, kept at one precision.

    Parameters
    ----------
    name : str
        A digest of ``about``.
    about : str
        JSON: stamp, role, precision, dimension.
    dim : int
    dtype : dtype
        Of the vectors as they are kept.
    """

    name: str
    about: str
    dim: int
    dtype: np.dtype[np.floating]


class VectorCache:
    """Vectors in a folder that any number of processes share.

    Parameters
    ----------
    place : Place
        As `Place.of` read it.
    read_only : bool
        Whether to read it as it stands, and keep nothing.

    Attributes
    ----------
    notes : list of str
        What a run should tell: damage that was found, a folder that cannot be used or written.
    database : Database or None
        None when nothing is kept.
    results : Kept
        Results other than vectors, in the same database.
    """

    def __init__(self, place: Place, *, read_only: bool = False) -> None:
        self.precision = place.precision
        self.folder = place.folder
        self.database: Database | None = None
        self.notes: list[str] = []
        self._synced = time.monotonic()
        try:
            if place.folder is not None:
                self.database = Database(place.folder, read_only=read_only)
                self.notes = self.database.notes
        except CacheError as error:
            if place.named:
                raise
            self.folder = None  # nobody asked for it
            self.notes.append(f"Vectors are not kept: {str(error).split(' Make room')[0]} Name a folder with --cache.")
        self.results = Kept(self.database)

    @classmethod
    def at(cls, text: str | os.PathLike[str] | None) -> VectorCache:
        """Open the cache that a text form names; raises as `Place.of`, and CacheError when it cannot be used."""
        return cls(Place.of(text))

    def space(self, stamp: Stamp, role: Role, *, singly: bool = False) -> VectorSpace | None:
        """Return where vectors are kept; None when they are not, as where nothing pins the model down.

        Parameters
        ----------
        stamp : Stamp
            Of the model, without regard to the cache.
        role : {"document", "query"}
        singly : bool
            Whether each text is encoded in a batch of its own: such vectors are kept apart.
        """
        if self.database is None or stamp.revision == UNPINNED:
            return None
        kept_as = f"{role}, one by one" if singly else role
        facts = {"dim": stamp.dim, "precision": self.precision, "role": kept_as, "stamp": asdict(stamp)}
        about = json.dumps(facts, sort_keys=True)
        dtype = np.dtype(self.precision).newbyteorder("<")
        return VectorSpace(sha256(about.encode()).hexdigest()[:32], about, stamp.dim, dtype)

    def state(self, stamp: Stamp) -> str:
        """Return in a word or two what a run says of one model: ``kept``, ``off`` or ``unpinned: not kept``."""
        if self.database is None:
            return "off"
        return "unpinned: not kept" if stamp.revision == UNPINNED else f"kept, {self.precision}"

    def stamped(self, stamp: Stamp) -> Stamp:
        """Return the provenance of the vectors that come from here: rounding to float16 is part of it."""
        if self.precision == "float32" or self.space(stamp, "document") is None:
            return stamp
        return replace(stamp, precision=f"{stamp.precision}, kept as {self.precision}")

    def bytes_kept(self, stamp: Stamp) -> int | None:
        """Return what a vector takes on disk, beside a key of 16 bytes; None when none is kept."""
        space = self.space(stamp, "document")
        return None if space is None else space.dtype.itemsize * space.dim

    def get(self, space: VectorSpace, keys: Keys) -> tuple[BoolArray, FloatArray]:
        """Return which vectors are here, and these, each batch checked first.

        Parameters
        ----------
        space : VectorSpace
        keys : ndarray of uint64, shape (n, 2)
            As `keys_of` makes them.

        Returns
        -------
        found : ndarray of bool, shape (n,)
        vectors : ndarray of float32, shape (n, d)
            Bit for bit what was kept; the other rows are not set.

        Raises
        ------
        CacheError
            When the database cannot be read.
        """
        assert self.database is not None
        found, vectors = np.zeros(len(keys), dtype=np.bool_), np.empty((len(keys), space.dim), dtype=np.float32)
        try:
            connection = self.database.connection or self.database.open()
            batches: dict[int, bytes] = dict(connection.execute(_KEYS, (space.name,)))
            for batch, rows, places in _places(batches, keys) if batches else ():
                part = self._read(connection, space, batch)
                if part is not None:
                    vectors[rows], found[rows] = part[places], True
            used = connection.execute("SELECT used FROM spaces WHERE name = ?", (space.name,)).fetchone()
            if not self.database.read_only and (used is None or used[0] < time.time() - TOUCH_SECONDS):
                row = (space.name, space.about, time.time())
                connection.execute("INSERT OR REPLACE INTO spaces VALUES (?, ?, ?)", row)
        except sqlite3.Error as error:
            self.database.failed(error)
            return self.get(space, keys)
        return found, vectors

    def put(self, space: VectorSpace, keys: Keys, vectors: FloatArray) -> FloatArray:
        """Keep a finished batch; when this returns, a kill takes it no more.

        Parameters
        ----------
        space : VectorSpace
        keys : ndarray of uint64, shape (b, 2)
        vectors : ndarray of float32, shape (b, d)

        Returns
        -------
        ndarray of float32, shape (b, d)
            What `get` returns for these keys: rounded to float16 where the cache keeps that.

        Raises
        ------
        CacheError
            When the database cannot be written, or a value does not fit float16.
        """
        assert self.database is not None
        with np.errstate(over="ignore"):
            kept = np.ascontiguousarray(vectors, dtype=space.dtype)
        if space.dtype.itemsize == 2 and not np.isfinite(kept).all():
            raise CacheError(
                "Vectors kept as float16 must lie between -65,504 and 65,504. Got a value beyond. "
                "Keep them as float32: leave ?precision=float16 out of --cache."
            )
        if not self.database.read_only:
            name, of_keys, of_vectors = space.name, keys.tobytes(), kept.tobytes()
            row = (name, of_keys, of_vectors, CHECKSUM(name.encode() + of_keys + of_vectors).digest())
            try:
                connection = self.database.connection or self.database.open()
                connection.execute("INSERT INTO batches (space, keys, vectors, checksum) VALUES (?, ?, ?, ?)", row)
                if time.monotonic() > self._synced + SYNC_SECONDS:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                    self._synced = time.monotonic()
            except sqlite3.Error as error:
                self.database.failed(error)
                return self.put(space, keys, vectors)
        return kept.astype(np.float32, copy=False)

    def _read(self, connection: sqlite3.Connection, space: VectorSpace, batch: int) -> npt.NDArray[np.floating] | None:
        """Return the vectors of a batch, (b, d) ; None when it is gone, or damaged: then it goes, with a note."""
        assert self.database is not None
        row = connection.execute("SELECT * FROM batches WHERE id = ?", (batch,)).fetchone()
        if row is None:
            return None
        if is_sound(row):
            return np.frombuffer(row[3], dtype=space.dtype).reshape(-1, space.dim)
        self.notes.append(
            f"The cached vectors in batch {batch} of vectors/{space.name} are damaged (they do not match their "
            "checksum): they were not used, and removed."
        )
        if not self.database.read_only:
            connection.execute("DELETE FROM batches WHERE id = ?", (batch,))
        return None

    def describe(self) -> dict[str, Any]:
        """Return for a manifest whether vectors are kept and how, and what is to be told; no path of the machine."""
        return {"on": self.database is not None, "precision": self.precision, "notes": list(self.notes)}


def _places(batches: dict[int, bytes], keys: Keys) -> Iterator[tuple[int, IntArray, IntArray]]:
    """Yield each batch that has some of the keys, which rows of ``keys`` these are, and their places in the batch.

    Of several batches that have a key the first counts. Equal first halves of different texts hide one of them: it is
    then encoded again, never mixed up.
    """
    counts = np.array([len(each) // KEY_BYTES for each in batches.values()], dtype=np.int64)
    whole = b"".join(each[: len(each) // KEY_BYTES * KEY_BYTES] for each in batches.values())
    known = np.frombuffer(whole, dtype="<u8").reshape(-1, 2)
    owners = np.repeat(np.array(list(batches), dtype=np.int64), counts)
    places = np.arange(len(known), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    order = np.argsort(known[:, 0], kind="stable")
    after = np.append(order, 0)[np.searchsorted(known[order, 0], keys[:, 0])]
    rows = np.flatnonzero((known[after] == keys).all(axis=1)) if len(known) else order
    after = after[rows]
    order = np.argsort(owners[after], kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(owners[after[order]])) + 1):
        if len(group):
            yield int(owners[after[group[0]]]), rows[group], places[after[group]]


OFF = VectorCache(Place(None))
