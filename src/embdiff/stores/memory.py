"""The store that every other store is compared with: exact, in this process, nothing kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from embdiff import exact
from embdiff.errors import ParameterError, StoreError
from embdiff.records import Neighbors
from embdiff.stores._lists import lengthened
from embdiff.stores.collection import Batch, CollectionSpec, Vectors, check_vectors, dense
from embdiff.stores.store import Store


@dataclass
class _Collection:
    stamp: dict[str, Any]
    rows: Batch
    index: exact.Index | None = None


class MemoryStore(Store):
    """Collections in memory, gone when the store is closed; vectors are searched where they lie, also in a file.

    Parameters
    ----------
    uri : str
        ``memory:``; each opening is a store of its own.

    Raises
    ------
    ParameterError
        When something follows the colon.
    """

    field_bytes: int | None = None
    in_place = True
    on_disk = False

    def __init__(self, uri: str = "memory:") -> None:
        if uri not in ("memory", "memory:"):
            raise ParameterError(
                f"The store in memory has no name. Got {uri!r}. Write memory:, or milvus:FILE to keep the vectors."
            )
        self.uri = "memory:"
        self._collections: dict[str, _Collection] = {}

    def names(self) -> list[str]:
        """Return the names of all collections."""
        return sorted(self._collections)

    def stamp(self, name: str) -> dict[str, Any] | None:
        """Return the stamp on a collection; never None, all collections here are ours."""
        return dict(self._get(name).stamp)

    def count(self, name: str) -> int:
        """Return the number of rows added."""
        return len(self._get(name).rows)

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1 that are there."""
        rows = self._get(name).rows
        found = rows.part(*np.searchsorted(rows.rows, [start, stop]))
        return replace(found, vectors=found.vectors[:])

    def rows_there(self, name: str) -> int | None:
        """Return m when exactly the rows 0..m-1 were added, else None."""
        rows = self._get(name).rows.rows
        return len(rows) if np.array_equal(rows, np.arange(len(rows))) else None

    def create(self, spec: CollectionSpec) -> None:
        """Make an empty collection.

        Raises
        ------
        ParameterError
            For any index but flat.
        """
        if spec.index.name != "flat":
            raise ParameterError(
                f"The index of the store memory: must be flat, because it is always exact. Got {spec.index}. "
                "Use --index flat, or a Milvus store such as milvus:vectors.db."
            )
        nothing = Batch(np.empty(0, dtype=np.int64), (), (), (), np.empty((0, spec.dim), dtype=np.float32))
        self._collections[spec.name] = _Collection(spec.full_stamp(complete=False), nothing)

    def add(self, name: str, rows: Batch) -> None:
        """Take rows, behind those that are there; see `Store.add`."""
        collection = self._get(name)
        collection.rows, collection.index = collection.rows.followed_by(rows), None

    def seal(self, spec: CollectionSpec) -> None:
        """Stamp the collection as complete."""
        self._get(spec.name).stamp = spec.full_stamp(complete=True)

    def search(self, spec: CollectionSpec, vectors: Vectors, k: int) -> Neighbors:
        """Return the k exactly nearest rows of queries float32 (q, d), ties by row; see `Store.search`."""
        check_vectors(vectors, spec)
        collection = self._get(spec.name)
        if collection.index is None:
            collection.index = exact.Index(dense(collection.rows.vectors), spec.metric)
        found = collection.index.search(dense(vectors), min(k, spec.rows))
        return lengthened(found.rows, found.similarity, k, spec, self.uri)

    def drop(self, name: str) -> None:
        """Remove a collection, if it is there."""
        self._collections.pop(name, None)

    def close(self) -> None:
        """Forget everything."""
        self._collections.clear()

    def _get(self, name: str) -> _Collection:
        if name not in self._collections:
            raise StoreError(f"The collection must be in {self.uri}. Got {name}, which is not. Place it there first.")
        return self._collections[name]
