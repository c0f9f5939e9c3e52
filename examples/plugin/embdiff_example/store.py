"""A store: a folder with a .npz file for each collection, searched exactly."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from embdiff import exact
from embdiff.errors import ParameterError, StoreError
from embdiff.records import FloatArray, Neighbors
from embdiff.stores._lists import lengthened
from embdiff.stores.collection import Batch, CollectionSpec, check_vectors
from embdiff.stores.store import Store


class NpzStore(Store):
    """``npz:FOLDER``."""

    field_bytes: int | None = None
    in_place = True  # all rows of a collection are added at once

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._folder = Path(uri.partition(":")[2]).expanduser()
        if not uri.partition(":")[2]:
            raise ParameterError(f"The store npz must be written npz:FOLDER. Got {uri!r}. Name a folder.")
        self._folder.mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        """Return the names of all collections."""
        return sorted(path.stem for path in self._folder.glob("*.npz"))

    def stamp(self, name: str) -> dict[str, Any] | None:
        """Return the stamp on a collection."""
        return json.loads(str(self._read(name)["stamp"]))

    def count(self, name: str) -> int:
        """Return the number of rows."""
        return len(self._read(name)["rows"])

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1 that are there."""
        found = self._read(name)
        part = slice(*np.searchsorted(found["rows"], [start, stop]))
        ids, texts, groups = (tuple(found[key][part].tolist()) for key in ("ids", "texts", "groups"))
        return Batch(found["rows"][part], ids, texts, groups, found["vectors"][part])

    def rows_there(self, name: str) -> int | None:
        """Return m when exactly the rows 0..m-1 are there."""
        rows = self._read(name)["rows"]
        return len(rows) if np.array_equal(rows, np.arange(len(rows))) else None

    def create(self, spec: CollectionSpec) -> None:
        """Make an empty collection, stamped as incomplete."""
        if spec.index.name != "flat":
            raise ParameterError(f"The index of the store npz: must be flat. Got {spec.index}. Use --index flat.")
        nothing = Batch(np.empty(0, dtype=np.int64), (), (), (), np.empty((0, spec.dim), dtype=np.float32))
        self._write(spec.name, nothing, spec.full_stamp(complete=False))

    def add(self, name: str, rows: Batch) -> None:
        """Insert rows."""
        self._write(name, self.read(name, 0, 2**62).followed_by(rows), self.stamp(name))

    def build(self, spec: CollectionSpec) -> None:
        """There is no index to build."""

    def seal(self, spec: CollectionSpec) -> None:
        """Stamp a collection as complete."""
        self._write(spec.name, self.read(spec.name, 0, 2**62), spec.full_stamp(complete=True))

    def search(self, spec: CollectionSpec, vectors: FloatArray, k: int) -> Neighbors:
        """Return the k nearest rows of each query, equal ones by row number."""
        check_vectors(vectors, spec)
        found = exact.search(vectors, self._read(spec.name)["vectors"], min(k, spec.rows), spec.metric)
        return lengthened(found.rows, found.similarity, k, spec, self.uri)

    def drop(self, name: str) -> None:
        """Remove a collection."""
        (self._folder / f"{name}.npz").unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is open."""

    def _read(self, name: str) -> Any:
        path = self._folder / f"{name}.npz"
        if not path.is_file():
            raise StoreError(f"The collection must be in {self.uri}. Got {name}, which is not. Place it there first.")
        return dict(np.load(path))  # nothing is unpickled

    def _write(self, name: str, rows: Batch, stamp: Any) -> None:
        aside = self._folder / f"{name}.part"
        texts = {key: np.array(getattr(rows, key), dtype=str) for key in ("ids", "texts", "groups")}
        with aside.open("wb") as file:
            np.savez(file, rows=rows.rows, vectors=rows.vectors[:], stamp=json.dumps(stamp), **texts)
        aside.replace(self._folder / f"{name}.npz")  # readers see the whole file or the one before
