"""Copying collections with their stamps from one store to another, and checking that every row arrived."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from embdiff._progress import progress
from embdiff._settings import typed
from embdiff.errors import ParameterError, StoreError
from embdiff.indexes import INDEXES, IndexSpec, check_metric
from embdiff.records import RaggedRow
from embdiff.specs import read_parameters, split_named, without_secrets
from embdiff.stores import get_store, path_of
from embdiff.stores.collection import Batch, CollectionSpec
from embdiff.stores.placing import ROWS_PER_ADD, fill, fit, standing
from embdiff.stores.store import Store


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


@dataclass(frozen=True)
class Copies:
    """What `copy_collections` did.

    Parameters
    ----------
    source, target : str
        The stores, without secrets.
    collections : tuple of Copied
    left_out : dict of str to str
        Collections of the source that were not copied, and why.
    """

    source: str
    target: str
    collections: tuple[Copied, ...]
    left_out: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values."""
        return asdict(self)


class Source(Protocol):
    """What rows are copied from: a store, or anything that can be read like one."""

    uri: str

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1 that are there, by row number."""


@typed
def copy_collections(
    source: str, target: str, *, collections: Sequence[str] | None = None, overwrite: bool = False
) -> Copies:
    """Copy collections and their stamps, so that a comparison with the other store finds and reuses them.

    A collection is stamped as complete only when all its rows are there. A call that was interrupted is taken up by the
    next one. At the end every row is read back from the target and compared with the source by a checksum.

    Parameters
    ----------
    source, target : str
        Stores as `get_store` takes them; ``memory:`` keeps nothing and is refused.
    collections : sequence of str, optional
        Names; by default all complete collections that embdiff made.
    overwrite : bool
        Replace collections of the target that embdiff made and that differ. Others are never replaced.

    Returns
    -------
    Copies

    Raises
    ------
    ParameterError
        When a store keeps nothing or cannot build the index.
    StoreError
        When the source is not there, or a collection is missing, not complete, not ours, or not equal in the end.
    """
    for uri in (source, target):
        if uri.partition(":")[0] == "memory":
            raise ParameterError(
                f"Collections can be copied between stores that keep them. Got {without_secrets(uri)}. Name "
                "milvus:FILE, lancedb:DIR or a server."
            )
    place = path_of(source)
    if place is not None and not place.exists():
        # Opening a folder that is not there would make an empty store.
        raise StoreError(
            f"The store to copy from must exist. Got {without_secrets(source)}, which does not. Check the path."
        )
    with get_store(source) as here, get_store(target) as there:
        specs, left_out = _wanted(here, collections)
        copied = []
        for spec in specs:
            if spec.shape not in there.shapes:
                left_out[spec.name] = f"holds {spec.shape} vectors, which {there.uri} does not hold"
                continue
            _make_way(there, spec, overwrite)
            copied.append(copy_rows(here, there, spec))
        return Copies(here.uri, there.uri, tuple(copied), left_out)


def copy_rows(source: Source, target: Store, spec: CollectionSpec, *, doing: str = "copy") -> Copied:
    """Make one collection whole in the target, as `fill` does, and compare all rows in the end.

    Parameters
    ----------
    source : Source
        Holds the rows 0..n-1.
    target : Store
    spec : CollectionSpec
        Of n rows, the same in both.
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
    sent, arrived, cut, hashed = hashlib.sha256(), hashlib.sha256(), 0, 0

    def read(start: int, stop: int) -> Batch:
        """Return rows cut to fit the target, hashed in order: those before that were not asked for, too."""
        nonlocal cut, hashed
        while hashed < start:
            read(hashed, min(hashed + ROWS_PER_ADD, start))
        part, cuts = fit(_rows(source, spec, start, stop), target.field_bytes, spec.name)
        _hash(sent, part)
        cut, hashed = cut + len(cuts), stop
        return part

    def verify(reused: bool) -> None:
        with progress(f"check {spec.name}", spec.rows, "rows") as advance:
            for start in range(0, spec.rows, ROWS_PER_ADD):
                stop = min(start + ROWS_PER_ADD, spec.rows)
                if hashed < stop:
                    read(hashed, stop)
                try:
                    _hash(arrived, _rows(target, spec, start, stop))
                except StoreError:  # without these rows it is another digest
                    break
                advance(stop - start)
        if arrived.digest() != sent.digest():
            raise _differing(target, spec, reused)

    filled = fill(target, spec, read, doing=doing, verify=verify)
    copied = 0 if filled.reused else spec.rows - filled.resumed
    return Copied(spec.name, spec.rows, spec.dim, copied, cut, sent.hexdigest())


def _differing(target: Store, spec: CollectionSpec, reused: bool) -> StoreError:
    """Return what to say of rows that did not arrive as they were sent; those written now are dropped again."""
    count = target.count(spec.name)
    what = "was left alone; add --overwrite to replace it" if reused else "was dropped again; copy it again"
    if not reused:
        target.drop(spec.name)
    return StoreError(
        f"A copy must hold the same rows as its source. Got {count:,} rows for {spec.rows:,}, or others, in "
        f"{spec.name} of {target.uri}. It {what}."
    )


def _rows(store: Source, spec: CollectionSpec, start: int, stop: int) -> Batch:
    """Read rows; refuse a collection in which one is missing or twice."""
    part = store.read(spec.name, start, stop)
    if not np.array_equal(part.rows, np.arange(start, stop)):
        raise StoreError(
            f"A collection must hold each of its rows once. Got {len(part)} rows for the numbers {start} to "
            f"{stop - 1} of {spec.name} in {store.uri}. Run the comparison that makes it again."
        )
    return part


def _hash(digest: Any, part: Batch) -> None:
    """Go on with a digest row by row: it is the same in whatever batches the rows come."""
    for row, *texts, vector in zip(part.rows.tolist(), part.ids, part.texts, part.groups, part.vectors, strict=True):
        digest.update(row.to_bytes(8, "little"))
        for value in (text.encode("utf-8") for text in texts):
            digest.update(len(value).to_bytes(8, "little") + value)
        values, places = (vector.values, vector.columns) if isinstance(vector, RaggedRow) else (vector, None)
        for numbers in (values.astype("<f4"), *(() if places is None else (places.astype("<i4"),))):
            digest.update(numbers.tobytes())


def _make_way(target: Store, spec: CollectionSpec, overwrite: bool) -> None:
    """Drop what is to be replaced; refuse another collection of that name where nothing is."""
    there = standing(target, spec)
    if overwrite and there != "nothing":
        target.drop(spec.name)
    elif there == "another":
        raise StoreError(
            f"A collection to copy must not be in the target as another one. Got {spec.name} in {target.uri} with "
            "another stamp; it was left alone. Add --overwrite (overwrite=True) to replace it."
        )


def _wanted(source: Store, names: Sequence[str] | None) -> tuple[list[CollectionSpec], dict[str, str]]:
    """Return what to copy, and why each of the others is left out."""
    there, specs, left_out = source.names(), list[CollectionSpec](), dict[str, str]()
    for name in dict.fromkeys(there if names is None else names):
        if name not in there:
            raise StoreError(
                f"A collection to copy must be in {source.uri}. Got {name}, which is not; there are: "
                f"{', '.join(there) or 'none'}. Name one of these."
            )
        stamp = source.stamp(name)
        if stamp is not None and stamp.get("complete"):
            specs.append(_spec_of(name, stamp, source.uri))
            continue
        left_out[name] = "carries no stamp of embdiff" if stamp is None else "is not complete"
        if names is not None:
            raise StoreError(
                f"A collection to copy must be a complete one that embdiff made. Got {name} in {source.uri}, which "
                f"{left_out[name]}. Run the comparison that makes it, or name another."
            )
    if names is None and not specs:
        why = "; ".join(f"{name} {reason}" for name, reason in left_out.items()) or "it has no collections"
        raise StoreError(
            f"There must be a complete collection of embdiff to copy in {source.uri}. Got none: {why}. Check the store."
        )
    return specs, left_out


def _spec_of(name: str, stamp: dict[str, Any], where: str) -> CollectionSpec:
    """Return what must be known to make a collection again, from its stamp."""
    with suppress(KeyError, TypeError, ValueError):
        index_name, inside, _ = split_named(str(stamp["index"]))
        params = read_parameters(index_name, inside, INDEXES[index_name], stamp["index"])
        index = IndexSpec(index_name, {key: int(value) for key, value in params.items()})
        metric, dim, rows = check_metric(stamp["metric"]), int(stamp["dim"]), int(stamp["rows"])
        spec = CollectionSpec(name, dim, metric, index, rows, stamp["source"], stamp["shape"])
        if spec.full_stamp(complete=True) == stamp:
            return spec
    raise StoreError(
        f"The stamp of a collection to copy must be one that this version of embdiff writes. Got another on {name} "
        f"in {where}. Copy it with the version that made it."
    )
