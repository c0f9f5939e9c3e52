"""The store that every other store is compared with: exact, in this process, nothing kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from embdiff import exact
from embdiff.errors import ParameterError, StoreError
from embdiff.records import FloatArray, IntArray, Neighbors
from embdiff.stores.collection import Batch, CollectionSpec, check_vectors

_NOTHING = ("", "", "")


@dataclass
class _Collection:
    stamp: dict[str, Any]
    vectors: FloatArray | exact.FileVectors
    there: npt.NDArray[np.bool_] = field(repr=False)
    texts: Any = field(repr=False)
    index: exact.Index | exact.StreamedIndex | None = None


class _Columns:
    """Texts by row, kept as the columns they came in."""

    def __init__(self, *columns: Sequence[str]) -> None:
        self._columns = columns

    def __getitem__(self, row: int) -> tuple[str, ...]:
        return tuple(column[row] for column in self._columns)


class MemoryStore:
    """Collections in memory, gone when the store is closed.

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
        return int(self._get(name).there.sum())

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1 that are there."""
        collection = self._get(name)
        rows = (start + np.flatnonzero(collection.there[start:stop])).astype(np.int64)
        ids, texts, groups = (tuple(collection.texts[row][part] for row in rows) for part in range(3))
        return Batch(rows, ids, texts, groups, collection.vectors[rows])

    def rows_there(self, name: str) -> int | None:
        """Return m when exactly the rows 0..m-1 were added, else None."""
        there = self._get(name).there
        count = int(there.sum())
        return count if there[:count].all() else None

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
        self._collections[spec.name] = _Collection(
            spec.full_stamp(complete=False),
            np.zeros((spec.rows, spec.dim), dtype=np.float32),
            np.zeros(spec.rows, dtype=bool),
            [_NOTHING] * spec.rows,
        )

    def add(
        self,
        name: str,
        rows: IntArray,
        ids: Sequence[str],
        texts: Sequence[str],
        groups: Sequence[str],
        vectors: FloatArray,
    ) -> None:
        """Insert m rows; see `Store.add`."""
        collection = self._get(name)
        assert isinstance(collection.vectors, np.ndarray)  # only a whole collection lies in a file
        for row, *strings in zip(rows, ids, texts, groups, strict=True):
            collection.texts[row] = (strings[0], strings[1], strings[2])
        collection.vectors[rows] = vectors
        collection.there[rows] = True
        collection.index = None

    def adopt(
        self,
        name: str,
        ids: Sequence[str],
        texts: Sequence[str],
        groups: Sequence[str],
        vectors: exact.FileVectors,
    ) -> None:
        """Take all rows of a collection from a file: they are searched there, block by block."""
        collection = self._get(name)
        collection.vectors, collection.index = vectors, None
        collection.texts = _Columns(ids, texts, groups)
        collection.there[:] = True

    def build(self, spec: CollectionSpec) -> None:
        """Stamp the collection as complete."""
        self._get(spec.name).stamp = spec.full_stamp(complete=True)

    def load(self, spec: CollectionSpec) -> None:
        """Do nothing but check that the collection is there."""
        self._get(spec.name)

    def search(self, spec: CollectionSpec, vectors: FloatArray, k: int) -> Neighbors:
        """Return the k exactly nearest rows of queries float32 (q, d), ties by row; see `Store.search`."""
        check_vectors(vectors, spec)
        collection = self._get(spec.name)
        if collection.index is None:
            collection.index = exact.index(collection.vectors, spec.metric)
        found = collection.index.search(vectors, min(k, spec.rows))
        short = ((0, 0), (0, k - found.k))
        rows = np.pad(found.rows, short, constant_values=-1)
        similarity = np.pad(found.similarity, short, constant_values=np.nan)
        return Neighbors(rows, similarity, spec.metric, str(spec.index))

    def drop(self, name: str) -> None:
        """Remove a collection, if it is there."""
        self._collections.pop(name, None)

    def close(self) -> None:
        """Forget everything."""
        self._collections.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _get(self, name: str) -> _Collection:
        if name not in self._collections:
            raise StoreError(f"The collection must be in {self.uri}. Got {name}, which is not. Place it there first.")
        return self._collections[name]
