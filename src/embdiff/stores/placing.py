"""The one function that puts a model's vectors into a store: found by their stamp, finished, or inserted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from embdiff._progress import progress
from embdiff.errors import ParameterError, ShapeError, StoreError
from embdiff.exact import FileVectors
from embdiff.records import Corpus, FloatArray
from embdiff.stores._fields import Cut, fit
from embdiff.stores.collection import CollectionSpec, check_vectors
from embdiff.stores.store import Adopting, Resumable, Store

_ROWS_CHECKED = 65_536
_ROWS_PER_ADD = 2_000  # small enough for a lively progress bar, large enough that the calls cost nothing


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
