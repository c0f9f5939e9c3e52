"""What a store is, and the one function that puts a model's vectors into it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from embdiff._progress import progress
from embdiff.config import IndexSpec
from embdiff.errors import ParameterError, ShapeError, StoreError
from embdiff.exact import FileVectors
from embdiff.records import Corpus, FloatArray, IntArray, Metric, Neighbors
from embdiff.stores._fields import Cut, fit
from embdiff.stores._names import collection_name

__all__ = [
    "Batch",
    "CollectionSpec",
    "Cut",
    "Identified",
    "Placement",
    "Searched",
    "Store",
    "check_vectors",
    "collection_name",
    "place",
]

STAMP_SCHEMA = 1
_ROWS_CHECKED = 65_536
_ROWS_PER_ADD = 2_000  # small enough for a lively progress bar, large enough that the calls cost nothing


@dataclass(frozen=True)
class CollectionSpec:
    """Everything that must be known to make, find and search one collection.

    Parameters
    ----------
    name : str
        As `collection_name` made it.
    dim : int
        Dimension of the vectors.
    metric : {"cosine", "ip", "l2"}
    index : IndexSpec
        How to index, and how to search.
    rows : int
        Number of rows when complete.
    stamp : mapping
        Provenance of vectors and corpus, JSON-able.
    """

    name: str
    dim: int
    metric: Metric
    index: IndexSpec
    rows: int
    stamp: Mapping[str, Any]

    def full_stamp(self, *, complete: bool) -> dict[str, Any]:
        """Return what is written on the collection, as JSON gives it back.

        Parameters
        ----------
        complete : bool
            False from `Store.create` on, True from the end of `Store.build`: a collection left half-made differs
            from the one wanted by its stamp alone.
        """
        full = {
            "schema": STAMP_SCHEMA,
            "complete": complete,
            "rows": self.rows,
            "dim": self.dim,
            "metric": self.metric,
            # Search parameters are left out: another nprobe asks the same collection.
            "index": str(IndexSpec(self.index.name, self.index.build_params)),
            "source": self.stamp,
        }
        return dict(json.loads(json.dumps(full, allow_nan=False)))


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of a collection, by row number.

    Parameters
    ----------
    rows : ndarray of int64, shape (m,)
        Row numbers, ascending.
    ids, texts, groups : tuple of str, length m
        As stored; a group is "" for none.
    vectors : ndarray of float32, shape (m, d)
    """

    rows: IntArray
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    groups: tuple[str, ...]
    vectors: FloatArray

    def __len__(self) -> int:
        return len(self.rows)

    def followed_by(self, other: Batch) -> Batch:
        """Return the rows of both, which must come in this order."""
        if not len(self) or not len(other):
            return self if len(self) else other
        return Batch(
            np.concatenate([self.rows, other.rows]),
            self.ids + other.ids,
            self.texts + other.texts,
            self.groups + other.groups,
            np.concatenate([self.vectors, other.vectors]),
        )


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


@dataclass(frozen=True)
class Placement:
    """How a collection came to be there.

    Parameters
    ----------
    reused : bool
        Whether it was there already, complete and with the same stamp.
    cuts : tuple of Cut
        What did not fit its field and was cut; the vectors were made from the whole text all the same.
    seconds : dict of str to float
        Wall seconds of ``create``, ``insert``, ``build`` and ``load``; only ``load`` when reused.
    resumed : int
        Rows found from an interrupted run with the same stamp; the others were inserted now.
    """

    reused: bool
    cuts: tuple[Cut, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    resumed: int = 0


def place(store: Store, spec: CollectionSpec, corpus: Corpus, vectors: FloatArray | FileVectors) -> Placement:
    """Make sure that a complete collection is loaded: find it by its stamp, finish it, or build it.

    A collection of the same stamp that is not complete was left by an interrupted run: its rows are counted, their keys
    compared, and the rest is inserted. Where that does not come out, or the store cannot tell, it is made anew.

    Parameters
    ----------
    store : Store
    spec : CollectionSpec
        The collection wanted.
    corpus : Corpus
        n rows.
    vectors : ndarray of float32, or FileVectors, shape (n, d)
        One vector per row, finite; not zero for the metric cosine.

    Returns
    -------
    Placement

    Raises
    ------
    ShapeError
        When vectors, corpus and spec do not fit together.
    ParameterError
        When a vector cannot be searched, or the index does not suit the store or the number of rows.
    StoreError
        When a collection of that name is not ours, or the store fails. What is half-made by then says so in its stamp
        and is never used as it is; it is dropped unless the next run can finish it.
    """
    _check(spec, corpus, vectors)
    texts, groups, cuts = fit(corpus, store.field_bytes)
    seconds: dict[str, float] = {}
    if spec.name in store.names() and _is_there(store, spec):
        with _timed(seconds, "load"):
            store.load(spec)
        return Placement(True, cuts, seconds)
    with _timed(seconds, "create"):
        start = _begin(store, spec)
    try:
        with _timed(seconds, "insert"):
            if isinstance(store, Adopting) and not isinstance(vectors, np.ndarray):
                store.adopt(spec.name, corpus.ids, texts, groups, vectors)
            else:
                _insert(store, spec.name, start, corpus.ids, texts, groups, vectors)
        with _timed(seconds, "build"):
            store.build(spec)
        with _timed(seconds, "load"):
            store.load(spec)
        _check_count(store, spec)
    except BaseException:  # Ctrl-C too
        if not isinstance(store, Resumable):
            with suppress(Exception):  # the first error is the one to tell; the stamp says "incomplete" all the same
                store.drop(spec.name)
        raise
    return Placement(False, cuts, seconds, start)


def _check_count(store: Store, spec: CollectionSpec) -> None:
    """Refuse a collection into which two processes have inserted the same rows at once."""
    there = store.count(spec.name)
    if there != spec.rows:
        raise StoreError(
            f"A collection of {spec.rows:,} rows must hold that many. Got {there:,} in {spec.name} of {store.uri}: "
            "does another process run the same comparison? Run it again when that is done: the collection is made anew."
        )


def _begin(store: Store, spec: CollectionSpec) -> int:
    """Return how many rows are there to go on from; 0 for a collection made just now."""
    if spec.name in store.names():
        if isinstance(store, Resumable) and store.stamp(spec.name) == spec.full_stamp(complete=False):
            there = store.rows_there(spec.name)
            if there is not None and 0 < there <= spec.rows:
                return there
        store.drop(spec.name)
    try:
        store.create(spec)
    except BaseException:
        with suppress(Exception):
            store.drop(spec.name)
        raise
    return 0


def _is_there(store: Store, spec: CollectionSpec) -> bool:
    """Return whether the collection found is the one wanted, whole; refuse one that is not ours."""
    stamp = store.stamp(spec.name)
    if stamp is None:
        raise StoreError(
            f"A collection that embdiff replaces must be one that embdiff made. Got {spec.name} in {store.uri}, which "
            "carries no stamp of embdiff and was left alone. Rename or drop it, or use another store."
        )
    return stamp == spec.full_stamp(complete=True) and store.count(spec.name) == spec.rows


def _insert(
    store: Store,
    name: str,
    first: int,
    ids: Sequence[str],
    texts: Sequence[str],
    groups: Sequence[str],
    vectors: FloatArray | FileVectors,
) -> None:
    """Insert the rows from ``first`` on, in order: what is there at any time is a beginning."""
    with progress(f"store {name}", len(ids), "rows") as advance:
        advance(first)
        for start in range(first, len(ids), _ROWS_PER_ADD):
            part = slice(start, min(start + _ROWS_PER_ADD, len(ids)))
            rows = np.arange(part.start, part.stop, dtype=np.int64)
            store.add(name, rows, ids[part], texts[part], groups[part], vectors[part])
            advance(len(rows))


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


def _check(spec: CollectionSpec, corpus: Corpus, vectors: FloatArray | FileVectors) -> None:
    if vectors.dtype != np.float32 or vectors.shape != (spec.rows, spec.dim) or len(corpus) != spec.rows:
        raise ShapeError(
            f"A collection of {spec.rows} rows and dimension {spec.dim} must get that many texts and float32 vectors "
            f"of shape ({spec.rows}, {spec.dim}). Got {len(corpus)} texts and {vectors.dtype} of shape "
            f"{vectors.shape}. Encode this corpus with this model again."
        )
    if not spec.rows:
        raise ParameterError("A collection must have at least one row. Got none. Give at least one text.")
    step = len(vectors) if isinstance(vectors, np.ndarray) else _ROWS_CHECKED  # what lies in a file is read in parts
    for start in range(0, len(vectors), step):
        check_vectors(vectors[start : start + step], spec, partial(_row_name, corpus, start))
    spec.index.check_rows(spec.rows, 1)


def _row_name(corpus: Corpus, first: int, at: int) -> str:
    return f"row {first + at} (id {corpus.ids[first + at]!r})"


def check_vectors(vectors: FloatArray, spec: CollectionSpec, place: Callable[[int], str] = "query {}".format) -> None:
    """Refuse vectors that no store should be asked to take or to look for: databases differ in what they do with them.

    Parameters
    ----------
    vectors : ndarray of float32, shape (m, d)
    spec : CollectionSpec
        The collection they are for.
    place : callable, optional
        How to call the vector of a number; ``query 0``... by default.

    Raises
    ------
    ShapeError
        When they have another dimension than the collection.
    ParameterError
        When a value is NaN or infinite, or a vector is zero under the metric cosine.
    """
    if vectors.ndim != 2 or vectors.shape[1] != spec.dim:
        raise ShapeError(
            f"Vectors for {spec.name} must have its dimension, {spec.dim}. Got an array of shape {vectors.shape}. "
            "Use the model that the collection was made with."
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    what, remedy = "finite", "Check what the model returns for it."
    if not bad.size and spec.metric == "cosine":
        bad = np.flatnonzero(~vectors.any(axis=1))
        what = "other than zero for the metric cosine (zero has no direction)"
        remedy = "Leave these rows out, or use the metric l2 or ip."
    if bad.size:
        raise ParameterError(
            f"Vectors must be {what}. Got one that is not in {place(int(bad[0]))}, {bad.size} in all. {remedy}"
        )
