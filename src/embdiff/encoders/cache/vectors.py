"""The cache as an encoder sees it: look up, encode what is missing, keep each finished batch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from embdiff.encoders.cache._place import Place
from embdiff.encoders.cache._shard import keys_of
from embdiff.encoders.cache._space import SpaceFolder, writing_to
from embdiff.encoders.own import UNPINNED
from embdiff.encoders.tally import Tally
from embdiff.errors import CacheError
from embdiff.kept import Kept
from embdiff.records import FloatArray, IntArray, Role, Stamp

FORMAT = "v1"


class Keep(Protocol):
    """Keep a finished batch."""

    def __call__(self, batch: IntArray, vectors: FloatArray, /) -> None:
        """Keep vectors (b, d) of positions (b,) among the texts to encode."""


EncodeMissing = Callable[[IntArray, Keep], FloatArray]


class VectorCache:
    """A folder of vectors, shared by any number of processes.

    Parameters
    ----------
    place : Place
        As `Place.of` read it.

    Attributes
    ----------
    notes : list of str
        What a run should tell: damaged shards that were not used, a default folder that cannot be used.
    results : Kept
        Results other than vectors, in the same folder.
    """

    def __init__(self, place: Place) -> None:
        self.precision = place.precision
        self.notes: list[str] = []
        self.folder = place.folder
        if place.folder is not None:
            self._check(place.folder, place.named)
        self.results = Kept(self.folder)

    @classmethod
    def at(cls, text: str | os.PathLike[str] | None) -> VectorCache:
        """Open the cache that a text form names; raises as `Place.of`, and CacheError when it cannot be written."""
        return cls(Place.of(text))

    def _check(self, folder: Path, named: bool) -> None:
        try:
            with writing_to(folder):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(13, os.strerror(13))
        except CacheError as error:
            if named:
                raise
            self.folder = None  # nobody asked for it
            self.notes.append(f"Vectors are not kept: {str(error).split(' Make room')[0]} Name a folder with --cache.")

    def keeps(self, stamp: Stamp) -> bool:
        """Return whether vectors of this provenance are kept: something must pin the model down."""
        return self.folder is not None and stamp.revision != UNPINNED

    def state(self, stamp: Stamp) -> str:
        """Return in a word or two what a run says of one model: ``kept``, ``off`` or ``unpinned: not kept``."""
        if self.folder is None:
            return "off"
        return f"kept, {self.precision}" if self.keeps(stamp) else "unpinned: not kept"

    def stamped(self, stamp: Stamp) -> Stamp:
        """Return the provenance of the vectors that `fill` returns: rounding to float16 is part of it."""
        if self.precision == "float32" or not self.keeps(stamp):
            return stamp
        return replace(stamp, precision=f"{stamp.precision}, kept as {self.precision}")

    def bytes_kept(self, stamp: Stamp) -> int | None:
        """Return what a vector takes on disk, beside a key of 16 bytes; None when none is kept."""
        return np.dtype(self.precision).itemsize * stamp.dim if self.keeps(stamp) else None

    def fill(
        self,
        stamp: Stamp,
        role: Role,
        texts: list[str],
        encode: EncodeMissing,
        tally: Tally,
        *,
        singly: bool = False,
    ) -> FloatArray:
        """Return the vector of each text, from the cache where it is there.

        Parameters
        ----------
        stamp : Stamp
            Of the model, without regard to the cache.
        role : {"document", "query"}
        texts : list of str, length n
            Different ones.
        encode : callable
            Given positions among the texts, ascending, and a function that keeps finished batches; returns vectors.
        tally : Tally
            Added to.
        singly : bool
            Whether each text is encoded in a batch of its own: such vectors are kept apart.

        Returns
        -------
        ndarray of float32, shape (n, d)
            Bit for bit what the model once returned; rounded to float16 where the cache keeps that.

        Raises
        ------
        CacheError
            When the folder cannot be written, or a value does not fit float16.
        """
        space = self._space(stamp, f"{role}, one by one" if singly else role)
        keys = keys_of(texts)
        vectors = np.empty((len(texts), stamp.dim), dtype=np.float32)
        here, found = space.find(keys)
        vectors[here] = found
        missing = np.setdiff1d(np.arange(len(texts), dtype=np.int64), here)
        tally.cached += len(here)
        if missing.size:
            with space.writing() as keep:
                vectors[missing] = self._rounded(
                    encode(missing, lambda batch, part: keep(keys[missing[batch]], self._rounded(part)))
                )
            tally.encoded += len(missing)
        return vectors

    def missing(self, stamp: Stamp, role: Role, texts: list[str]) -> int:
        """Return how many of these different texts have no vector here; arguments as for `fill`."""
        here, _ = self._space(stamp, role).find(keys_of(texts))
        return len(texts) - len(here)

    def _rounded(self, vectors: FloatArray) -> FloatArray:
        if self.precision == "float32":
            return vectors
        with np.errstate(over="ignore"):
            rounded = vectors.astype(np.float16).astype(np.float32)
        if not np.isfinite(rounded).all():
            raise CacheError(
                "Vectors kept as float16 must lie between -65,504 and 65,504. Got a value beyond. "
                "Keep them as float32: leave ?precision=float16 out of --cache."
            )
        return rounded

    def _space(self, stamp: Stamp, role: str) -> SpaceFolder:
        assert self.folder is not None
        about = {"dim": stamp.dim, "precision": self.precision, "role": role, "stamp": stamp.to_dict()}
        name = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]
        return SpaceFolder(self.folder / FORMAT / name, about, self._report)

    def _report(self, path: Path, why: str) -> None:
        assert self.folder is not None
        shown = path.relative_to(self.folder)
        note = (
            f"The cached vectors in {shown} are damaged ({why}) and were not used. 'embdiff cache prune' removes them."
        )
        if note not in self.notes:
            self.notes.append(note)

    def describe(self) -> dict[str, Any]:
        """Return for a manifest whether vectors are kept and how, and what is to be told; no path of the machine."""
        return {"on": self.folder is not None, "precision": self.precision, "notes": [*self.notes, *self.results.notes]}
