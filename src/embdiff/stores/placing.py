"""The one way to fill a collection: found by its stamp, gone on with, or made; and what is cut to fit its fields."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Literal, cast

import numpy as np

from embdiff._progress import progress
from embdiff.errors import DataError, ParameterError, ShapeError, StoreError
from embdiff.exact import FileVectors
from embdiff.records import Corpus, Ragged
from embdiff.stores.collection import Batch, CollectionSpec, Vectors, check_vectors
from embdiff.stores.store import Store

_ROWS_CHECKED = 65_536
ROWS_PER_ADD = 2_000  # small enough for a lively progress bar, large enough that the calls cost nothing

Standing = Literal["nothing", "another", "begun", "whole"]


@dataclass(frozen=True)
class Cut:
    """A value that was cut to fit its field.

    Parameters
    ----------
    row : int
        Row number in the corpus.
    id : str
        Id of the row.
    field : {"text", "group"}
    bytes_before, bytes_kept : int
        Length in UTF-8, before and after.
    """

    row: int
    id: str
    field: str
    bytes_before: int
    bytes_kept: int


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
    cuts: tuple[Cut, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    resumed: int = 0


def place(store: Store, spec: CollectionSpec, corpus: Corpus, vectors: Vectors | FileVectors) -> Placement:
    """Make sure that a complete collection of a corpus is loaded, as `fill` does.

    Parameters
    ----------
    store : Store
    spec : CollectionSpec
        The collection wanted.
    corpus : Corpus
        n rows.
    vectors : ndarray of float32, or FileVectors, shape (n, d), or Ragged of n rows
        Finite; not zero for the metric cosine.

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
        As `fill`.
    """
    _check(spec, corpus, vectors)
    numbers, groups = np.arange(spec.rows, dtype=np.int64), corpus.groups or ("",) * spec.rows
    # Vectors in a file are sliced as arrays are, which is all that is done with them on their way into a store.
    whole = Batch(numbers, corpus.ids, corpus.items, groups, cast(Vectors, vectors))
    fitted, cuts = fit(whole, store.field_bytes, corpus.source)
    return replace(fill(store, spec, fitted.part), cuts=cuts)


def fill(
    store: Store,
    spec: CollectionSpec,
    read: Callable[[int, int], Batch],
    *,
    doing: str = "store",
    verify: Callable[[bool], None] | None = None,
) -> Placement:
    """Make sure that a complete collection is loaded: find it by its stamp, finish it, or build it.

    A collection of the same stamp that is not complete was left by an interrupted run: its rows are counted, their keys
    compared, and the rest is inserted. Where that does not come out it is made anew, as is one of another stamp. It is
    stamped as complete at the very end.

    Parameters
    ----------
    store : Store
    spec : CollectionSpec
        The collection wanted, of n rows.
    read : callable
        ``read(start, stop)`` returns the rows start..stop-1, fit for the fields of the store. Rows are read in order;
        those that are there already are not read.
    doing : str
        What the progress bar says.
    verify : callable, optional
        Looks at all rows before the stamp, and raises where they are not those wanted; told whether the collection was
        there, complete.

    Returns
    -------
    Placement
        Without cuts.

    Raises
    ------
    StoreError
        When a collection of that name is not ours, or the store fails. What is half-made by then says so in its stamp
        and is never used as it is; the next run goes on with it.
    """
    with store.filling(spec.name):
        seconds: dict[str, float] = {}
        reused, first = is_whole(store, spec), 0
        if not reused:
            first = _insert(store, spec, read, doing, seconds)
        with _timed(seconds, "load"):
            store.load(spec)
        if not reused:
            _check_count(store, spec)
        if verify is not None:
            verify(reused)
        if not reused:
            store.seal(spec)
    return Placement(reused, seconds=seconds, resumed=first)


def _insert(
    store: Store, spec: CollectionSpec, read: Callable[[int, int], Batch], doing: str, seconds: dict[str, float]
) -> int:
    """Add the rows that are missing and index all; return how many were there."""
    with _timed(seconds, "create"):
        first = _begin(store, spec)
    with _timed(seconds, "insert"), progress(f"{doing} {spec.name}", spec.rows, "rows") as advance:
        advance(first)
        step = spec.rows if store.in_place else ROWS_PER_ADD
        for start in range(first, spec.rows, step):  # in order: what is there at any time is a beginning
            part = read(start, min(start + step, spec.rows))
            store.add(spec.name, part)
            advance(len(part))
    with _timed(seconds, "build"):
        store.build(spec)
    return first


def _check_count(store: Store, spec: CollectionSpec) -> None:
    count = store.count(spec.name)
    if count != spec.rows:
        raise StoreError(
            f"A collection of {spec.rows:,} rows must hold that many. Got {count:,} in {spec.name} of {store.uri}: "
            "does another process run the same comparison? Run it again when that is done: the collection is made anew."
        )


def standing(store: Store, spec: CollectionSpec) -> Standing:
    """Return what a store has under the name of a collection: the rule by which vectors of two stamps never mix.

    Returns
    -------
    {"nothing", "another", "begun", "whole"}
        No collection; one of ours that is to be replaced; the one wanted, left half-made; the one wanted, by its stamp.

    Raises
    ------
    StoreError
        When it is not ours.
    """
    if spec.name not in store.names():
        return "nothing"
    stamp = store.stamp(spec.name)
    if stamp is None:
        raise StoreError(
            f"A collection that embdiff replaces must be one that embdiff made. Got {spec.name} in {store.uri}, which "
            "carries no stamp of embdiff and was left alone. Rename or drop it, or use another store."
        )
    if stamp == spec.full_stamp(complete=True):
        return "whole"
    return "begun" if stamp == spec.full_stamp(complete=False) else "another"


def not_as_left(store: Store, spec: CollectionSpec) -> str:
    """Return what is wrong with a collection that was left so, by its stamp and its rows; "" for nothing.

    Collections of others, which carry no stamp of embdiff's, are counted only.
    """
    if spec.name not in store.names():
        return "is missing"
    stamp = store.stamp(spec.name)
    if stamp is not None:
        same = all(stamp["source"].get(key) == value for key, value in spec.stamp.items())
        if not (stamp.get("complete") and stamp.get("rows") == spec.rows and same):
            return "is another one, by its stamp"
    count = store.count(spec.name)
    return "" if count == spec.rows else f"has {count:,} rows, not {spec.rows:,}"


def is_whole(store: Store, spec: CollectionSpec) -> bool:
    """Return whether a store has the collection wanted, by its stamp and by the number of its rows."""
    return standing(store, spec) == "whole" and store.count(spec.name) == spec.rows


def _begin(store: Store, spec: CollectionSpec) -> int:
    """Return how many rows are there to go on from; 0 for a collection made just now."""
    there = standing(store, spec)
    if there == "begun" and 0 < (rows := store.rows_there(spec.name) or 0) <= spec.rows:
        return rows
    if there != "nothing":
        store.drop(spec.name)
    try:
        store.create(spec)
    except BaseException:  # Ctrl-C too
        with suppress(Exception):  # the first error is the one to tell; the stamp says "incomplete" all the same
            store.drop(spec.name)
        raise
    return 0


def fit(rows: Batch, limit: int | None, source: str) -> tuple[Batch, tuple[Cut, ...]]:
    """Return rows whose texts and groups fit into ``limit`` UTF-8 bytes, and what was cut.

    Cutting never splits a character. Ids are never cut: two could become one.

    Parameters
    ----------
    rows : Batch
    limit : int or None
        Longest value in bytes; None when there is no limit, then nothing is looked at.
    source : str
        Where the rows come from, for messages.

    Returns
    -------
    fitted : Batch
    cuts : tuple of Cut
        By row.

    Raises
    ------
    DataError
        When an id is too long, or a value is not valid Unicode (half of a surrogate pair).
    """
    if limit is None:
        return rows, ()
    cuts: list[Cut] = []
    fitted = {name: list(values) for name, values in (("id", rows.ids), ("text", rows.texts), ("group", rows.groups))}
    for name, values in fitted.items():
        for place, (row, value) in enumerate(zip(rows.rows.tolist(), values, strict=True)):
            try:
                whole = value.encode("utf-8")
            except UnicodeEncodeError as error:
                raise DataError(
                    f"Text must be valid Unicode. Got half of a surrogate pair (character {error.start}) in the {name} "
                    f"of row {row} of {source}. Read the file with the encoding it was written in."
                ) from None
            if len(whole) <= limit:
                continue
            if name == "id":
                raise DataError(
                    f"An id must be at most {limit:,} bytes long in UTF-8. Got {len(whole):,} bytes in row {row} of "
                    f"{source}. Use shorter ids, or leave the id column out to number the rows."
                )
            values[place] = whole[:limit].decode("utf-8", "ignore")
            cuts.append(Cut(row, rows.ids[place], name, len(whole), len(values[place].encode("utf-8"))))
    cuts.sort(key=lambda cut: cut.row)
    return replace(rows, texts=tuple(fitted["text"]), groups=tuple(fitted["group"])), tuple(cuts)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


def _check(spec: CollectionSpec, corpus: Corpus, vectors: Vectors | FileVectors) -> None:
    values = vectors.values if isinstance(vectors, Ragged) else vectors
    wanted = values.shape if isinstance(vectors, Ragged) else (spec.rows, spec.dim)
    if values.dtype != np.float32 or values.shape != wanted or not len(vectors) == len(corpus) == spec.rows:
        raise ShapeError(
            f"A collection of {spec.rows} rows and dimension {spec.dim} must get that many texts and float32 vectors "
            f"of shape ({spec.rows}, {spec.dim}). Got {len(corpus)} texts and {values.dtype} of shape "
            f"{values.shape}. Encode this corpus with this model again."
        )
    if not spec.rows:
        raise ParameterError("A collection must have at least one row. Got none. Give at least one text.")
    step = _ROWS_CHECKED if isinstance(vectors, FileVectors) else len(vectors)  # what lies in a file is read in parts
    for start in range(0, len(vectors), step):
        check_vectors(vectors[start : start + step], spec, corpus.ids[start : start + step], start)
    spec.index.check_rows(spec.rows, 1)
