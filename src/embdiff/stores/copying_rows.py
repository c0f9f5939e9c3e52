"""The rows of one collection from one store to another, in batches, and checking that all arrived."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from embdiff._progress import progress
from embdiff.errors import StoreError
from embdiff.records import Corpus
from embdiff.stores._fields import fit
from embdiff.stores.collection import Batch, CollectionSpec
from embdiff.stores.store import Store

_ROWS_PER_BATCH = 2_000


@dataclass(frozen=True)
class Copied:
    """One collection that is whole in the target now.

    Parameters
    ----------
    name : str
    rows, dim : int
    copied : int
        Rows written now; the others were there from a call before.
    cut : int
        Values that were cut to fit the fields of the target.
    digest : str
        SHA-256 (hex) over row numbers, ids, texts, groups and vectors, equal on both sides.
    """

    name: str
    rows: int
    dim: int
    copied: int
    cut: int
    digest: str


class Source(Protocol):
    """What rows are copied from: a store, or anything that can be read like one."""

    uri: str

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1 that are there, by row number."""


def copy_rows(
    source: Source, target: Store, spec: CollectionSpec, *, overwrite: bool = False, doing: str = "copy"
) -> Copied:
    """Make one collection whole in the target, whatever of it is there already, and compare all rows in the end.

    Parameters
    ----------
    source : Source
        Holds the rows 0..n-1.
    target : Store
    spec : CollectionSpec
        Of n rows, the same in both.
    overwrite : bool
        Replace another collection of embdiff's of that name.
    doing : str
        What the progress bar says.

    Returns
    -------
    Copied

    Raises
    ------
    ParameterError, StoreError
        As `copy_collections`.
    """
    begun = _begun(target, spec, overwrite)
    whole = begun and target.stamp(spec.name) == spec.full_stamp(complete=True)
    digest, copied, cut = hashlib.sha256(), 0, 0
    with progress(f"{doing} {spec.name}", spec.rows, "rows") as advance:
        for part in _batches(source, spec):
            fitted, cuts = _fitted(part, target, spec)
            _add_to(digest, fitted)
            cut += cuts
            if not whole:
                copied += _insert_missing(target, spec, fitted, begun)
            advance(len(part))
    if not whole:
        target.build(spec)
        target.load(spec)
    _verify(target, spec, digest.hexdigest(), ours=not whole)
    return Copied(spec.name, spec.rows, spec.dim, copied, cut, digest.hexdigest())


def _begun(target: Store, spec: CollectionSpec, overwrite: bool) -> bool:
    """Return whether a call before has begun, or finished, this copy; else make the empty collection."""
    if spec.name in target.names():
        stamp = target.stamp(spec.name)
        if stamp is None:
            raise StoreError(
                f"A collection that is replaced must be one that embdiff made. Got {spec.name} in {target.uri}, which "
                "carries no stamp of embdiff and was left alone. Rename or drop it, or copy to another store."
            )
        if {**stamp, "complete": True} == spec.full_stamp(complete=True) and not overwrite:
            return True
        if not overwrite:
            raise StoreError(
                f"A collection to copy must not be in the target as another one. Got {spec.name} in {target.uri} with "
                "another stamp; it was left alone. Add --overwrite (overwrite=True) to replace it."
            )
        target.drop(spec.name)
    target.create(spec)
    return False


def _batches(store: Source, spec: CollectionSpec) -> Iterator[Batch]:
    """Yield all rows in order; refuse a collection in which one is missing or twice."""
    for start in range(0, spec.rows, _ROWS_PER_BATCH):
        stop = min(start + _ROWS_PER_BATCH, spec.rows)
        part = store.read(spec.name, start, stop)
        if not np.array_equal(part.rows, np.arange(start, stop)):
            raise StoreError(
                f"A collection must hold each of its rows once. Got {len(part)} rows for the numbers {start} to "
                f"{stop - 1} of {spec.name} in {store.uri}. Run the comparison that makes it again."
            )
        yield part


def _fitted(part: Batch, target: Store, spec: CollectionSpec) -> tuple[Batch, int]:
    """Cut texts and groups to what the target holds; return how many were cut."""
    corpus = Corpus(part.texts, part.ids, part.groups, source=spec.name)
    texts, groups, cuts = fit(corpus, target.field_bytes)
    return replace(part, texts=tuple(texts), groups=tuple(groups)), len(cuts)


def _insert_missing(target: Store, spec: CollectionSpec, part: Batch, begun: bool) -> int:
    """Insert what is not there yet; return the number of rows."""
    new = np.ones(len(part), dtype=bool)
    if begun:
        there = target.read(spec.name, int(part.rows[0]), int(part.rows[-1]) + 1)
        new = ~np.isin(part.rows, there.rows)
    if new.any():
        where = np.flatnonzero(new)
        ids, texts, groups = ([values[row] for row in where] for values in (part.ids, part.texts, part.groups))
        target.add(spec.name, part.rows[new], ids, texts, groups, part.vectors[new])
    return int(new.sum())


def _verify(target: Store, spec: CollectionSpec, wanted: str, *, ours: bool) -> None:
    """Read everything back; drop what was copied now and is not equal."""
    digest, count = hashlib.sha256(), target.count(spec.name)
    with progress(f"check {spec.name}", spec.rows, "rows") as advance, suppress(StoreError):
        for part in _batches(target, spec):
            _add_to(digest, part)
            advance(len(part))
    if count == spec.rows and digest.hexdigest() == wanted:
        return
    what = "was dropped again; copy it again" if ours else "was left alone; add --overwrite to replace it"
    if ours:
        target.drop(spec.name)
    raise StoreError(
        f"A copy must hold the same rows as its source. Got {count:,} rows for {spec.rows:,}, or others, in "
        f"{spec.name} of {target.uri}. It {what}."
    )


def _add_to(digest: Any, part: Batch) -> None:
    digest.update(part.rows.astype("<i8").tobytes())
    for texts in (part.ids, part.texts, part.groups):
        for text in texts:
            value = text.encode("utf-8")
            digest.update(len(value).to_bytes(8, "little") + value)
    digest.update(np.ascontiguousarray(part.vectors, dtype="<f4").tobytes())
