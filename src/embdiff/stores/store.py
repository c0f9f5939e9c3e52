"""What a store is: a vector database, reduced to what a comparison needs, and what some can do besides."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from embdiff.exact import FileVectors
from embdiff.records import FloatArray, IntArray, Neighbors
from embdiff.stores.collection import Batch, CollectionSpec


class Searched(Protocol):
    """What can be searched: a store, or a single collection that others made."""

    def search(self, spec: CollectionSpec, vectors: FloatArray, k: int) -> Neighbors:
        """Return the k nearest rows of each query; see `Store.search`."""


class Store(Protocol):
    """A vector database, reduced to what a comparison needs.

    Rows are numbered 0..n-1 as in the corpus, and the row number is the primary key. A store never decides what may
    be replaced: `place` does.

    Attributes
    ----------
    uri : str
        Text form, without secrets.
    field_bytes : int or None
        Longest id, text or group a collection holds, in UTF-8 bytes; None without limit. `place` cuts to it.
    """

    uri: str
    field_bytes: int | None

    def names(self) -> list[str]:
        """Return the names of all collections, also of those that are not ours."""

    def stamp(self, name: str) -> dict[str, Any] | None:
        """Return the stamp on a collection; None when it carries none and so is not ours."""

    def count(self, name: str) -> int:
        """Return the number of rows in a collection, exactly."""

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1 that are there, by row number, also of an incomplete collection."""

    def create(self, spec: CollectionSpec) -> None:
        """Make an empty collection, stamped as incomplete.

        Raises
        ------
        ParameterError
            When the store cannot build the index asked for.
        """

    def add(
        self,
        name: str,
        rows: IntArray,
        ids: Sequence[str],
        texts: Sequence[str],
        groups: Sequence[str],
        vectors: FloatArray,
    ) -> None:
        """Insert m rows: numbers (m,), ids, texts, groups ("" for none), vectors float32 (m, d). None is there yet."""

    def build(self, spec: CollectionSpec) -> None:
        """Write everything out, index every row, and stamp the collection as complete."""

    def load(self, spec: CollectionSpec) -> None:
        """Make a complete collection ready to be searched."""

    def search(self, spec: CollectionSpec, vectors: FloatArray, k: int) -> Neighbors:
        """Return the k nearest rows of each query.

        Parameters
        ----------
        spec : CollectionSpec
            A loaded collection.
        vectors : ndarray of float32, shape (q, d)
            Any number of queries.
        k : int
            Neighbours per query; where there are fewer rows the lists are padded with -1 and NaN.

        Returns
        -------
        Neighbors, shape (q, k)
            Closest first, equal similarities by row number.
        """

    def drop(self, name: str) -> None:
        """Remove a collection; no error when there is none."""

    def close(self) -> None:
        """Let go of files and connections; closing twice is no error."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class Resumable(Protocol):
    """A store in which rows inserted by a process that was interrupted can be trusted, and so need no second insert."""

    def rows_there(self, name: str) -> int | None:
        """Return m when exactly the rows 0..m-1 are in a collection, each once; None for anything else."""


@runtime_checkable
class Identified(Protocol):
    """A store that gives every collection it makes a name that no other collection has, not even its successor."""

    def identity(self, name: str) -> str | None:
        """Return what a collection got when it was created; None where it has nothing of the kind."""


@runtime_checkable
class Adopting(Protocol):
    """A store that can search vectors where they lie, in a file."""

    def adopt(
        self, name: str, ids: Sequence[str], texts: Sequence[str], groups: Sequence[str], vectors: FileVectors
    ) -> None:
        """Take all rows of a collection as they are, the vectors from a file, which must not change."""
