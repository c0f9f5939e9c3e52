"""What a store is: a vector database, reduced to what a comparison needs, and what some can do besides."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, Self

from embdiff.errors import StoreError
from embdiff.records import Neighbors, Shape
from embdiff.stores.collection import Batch, CollectionSpec, Vectors
from embdiff.stores.looking import Look


class Searched(Protocol):
    """What can be searched: a store, or a single collection that others made."""

    def search(self, spec: CollectionSpec, vectors: Vectors, k: int) -> Neighbors:
        """Return the k nearest rows of each query; see `Store.search`."""

    def identity(self, name: str) -> str | None:
        """Return what a collection got when it was made and no other has, not even its successor; None for nothing."""
        return None


class Store(Searched, Protocol):
    """A vector database, reduced to what a comparison needs.

    Rows are numbered 0..n-1 as in the corpus, and the row number is the primary key. A store never decides what may
    be replaced: `embdiff.stores.placing.fill` does. A class that inherits from this one is a context manager.

    Attributes
    ----------
    uri : str
        Text form, without secrets.
    field_bytes : int or None
        Longest id, text or group a collection holds, in UTF-8 bytes; None without limit. `place` cuts to it.
    in_place : bool
        Whether `add` is given all rows of a collection at once and searches their vectors where they lie, also in a
        file.
    shapes : frozenset of {"dense", "sparse", "tokens"}
        What a row of a collection can hold.
    on_disk : bool
        Whether what stands behind the colon of its text form is a file or folder of this machine.
    """

    uri: str
    field_bytes: int | None
    in_place: bool = False
    shapes: frozenset[Shape] = frozenset({"dense"})
    on_disk: bool = True

    def filling(self, name: str) -> AbstractContextManager[object]:
        """Wait until no other process fills a collection, and keep others waiting inside the block, where that can be.

        By default nobody waits: a second process notices by the rows in the end that it was not alone.
        """
        del name
        return nullcontext()

    def names(self) -> list[str]:
        """Return the names of all collections, also of those that are not ours."""

    def stamp(self, name: str) -> dict[str, Any] | None:
        """Return the stamp on a collection; None when it carries none and so is not ours."""

    def count(self, name: str) -> int:
        """Return the number of rows in a collection, exactly."""

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1 that are there, by row number, also of an incomplete collection."""

    def rows_there(self, name: str) -> int | None:
        """Return m when exactly the rows 0..m-1 are in a collection, each once; None for anything else.

        What a process added before it was interrupted is trusted by this, and not added again.
        """

    def create(self, spec: CollectionSpec) -> None:
        """Make an empty collection, stamped as incomplete.

        Raises
        ------
        ParameterError
            When the store cannot build the index asked for.
        """

    def add(self, name: str, rows: Batch) -> None:
        """Insert rows, which come in order; none of them is there yet."""

    def build(self, spec: CollectionSpec) -> None:
        """Write everything out and index every row; the collection is still stamped as incomplete."""

    def seal(self, spec: CollectionSpec) -> None:
        """Stamp a collection as complete; it stays loaded."""

    def load(self, spec: CollectionSpec) -> None:
        """Make a complete collection ready to be searched; where nothing is to be done, check that it is there."""
        self.count(spec.name)

    def search(self, spec: CollectionSpec, vectors: Vectors, k: int) -> Neighbors:
        """Return the k nearest rows of each query.

        Parameters
        ----------
        spec : CollectionSpec
            A loaded collection.
        vectors : ndarray of float32, shape (q, d), or Ragged of q rows
            Any number of queries, of the shape of the collection.
        k : int
            Neighbours per query; where there are fewer rows the lists are padded with -1 and NaN.

        Returns
        -------
        Neighbors, shape (q, k)
            Closest first, equal similarities by row number.
        """

    def look(self, name: str) -> Look:
        """Return a collection, ours or of others, to be looked at; nothing is written to it."""
        raise StoreError(f"A store to look at must be Milvus or LanceDB. Got {self.uri}. Name one of these.")

    def drop(self, name: str) -> None:
        """Remove a collection; no error when there is none."""

    def close(self) -> None:
        """Let go of files and connections; closing twice is no error."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
